import { describe, expect, it } from 'vitest';
import { nextState, type SessionEvent } from '../../../shared/sessions/lifecycle.ts';
import { sessionStatuses, type SessionDocument, type SessionStatus } from '../../../shared/sessions/model.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';

const by = { by: 'test', key_id: null, request_id: null };
const onVolume = { spec: { ...sessionDocument().spec, storage_type: 'persistent_volume' as const } };

function after(session: SessionDocument, event: SessionEvent): SessionStatus | 'unchanged' | 'refused' {
  const next = nextState(session, event, testNow, by);
  return next.kind === 'changed' ? next.session.status : next.kind;
}

/** At its deadline, and stopped when it is idle for an hour. */
function dueSession(fields: Partial<SessionDocument>): SessionDocument {
  return sessionDocument({ expires_at: testNow.toISOString(), idle_timeout_minutes: 60, ...fields });
}

function changed(session: SessionDocument, event: SessionEvent): SessionDocument {
  const next = nextState(session, event, testNow, by);
  if (next.kind !== 'changed') throw new Error(`expected a change, got ${next.kind}`);
  return next.session;
}

const events: Record<string, SessionEvent> = {
  pod_ready: { type: 'pod_ready', podUid: 'uid-2', nodeName: 'node-2', channel: 'exec' },
  no_shell: { type: 'no_shell' },
  start_failed: { type: 'start_failed', reason: 'ErrImagePull: no such image' },
  start_deadline: { type: 'start_deadline' },
  stop: { type: 'stop', cause: 'requested' },
  idle: { type: 'stop', cause: 'idle', generation: 1 },
  pod_gone: { type: 'pod_gone', podUid: 'uid-1' },
  pod_lost: { type: 'pod_lost', reason: 'the node is gone', podUid: 'uid-1' },
  crash_loop: { type: 'crash_loop', reason: 'CrashLoopBackOff: exit 1', podUid: 'uid-1' },
  container_restarted: { type: 'container_restarted', podUid: 'uid-1', count: 1, message: 'The container was restarted' },
  active: { type: 'active' },
  start: { type: 'start' },
  restart: { type: 'restart' },
  deadline: { type: 'deadline' },
  delete: { type: 'delete' },
  released: { type: 'released' },
};

type Row = Record<string, SessionStatus | 'refused'>;

/** Every state and event, of a session at its deadline with an idle timeout; what is not named changes nothing. */
const table: Record<SessionStatus, Row> = {
  creating: {
    pod_ready: 'running',
    no_shell: 'creating',
    start_failed: 'failed',
    start_deadline: 'failed',
    stop: 'refused',
    deadline: 'terminating',
    delete: 'terminating',
  },
  running: {
    stop: 'stopping',
    idle: 'stopping',
    restart: 'stopping',
    pod_lost: 'failed',
    crash_loop: 'failed',
    container_restarted: 'running',
    active: 'running',
    deadline: 'terminating',
    delete: 'terminating',
  },
  stopping: { pod_gone: 'stopped', start: 'stopping', restart: 'stopping', deadline: 'terminating', delete: 'terminating' },
  stopped: { start: 'creating', restart: 'creating', deadline: 'terminating', delete: 'terminating' },
  failed: { start: 'creating', restart: 'creating', stop: 'refused', deadline: 'terminating', delete: 'terminating' },
  terminating: { released: 'terminated', start: 'refused', restart: 'refused', stop: 'refused' },
  terminated: { start: 'refused', restart: 'refused', stop: 'refused' },
};

/** What differs for the session of a project: it is never ended by its deadline. */
const anchored: Partial<Record<SessionStatus, Row>> = { running: { deadline: 'stopping' } };

describe('nextState', () => {
  for (const status of sessionStatuses) {
    for (const [name, event] of Object.entries(events)) {
      const expected = table[status][name] ?? 'unchanged';
      it(`${status} + ${name} -> ${expected}`, () => {
        expect(after(dueSession({ status }), event)).toBe(expected);
      });
      const expectedAnchored = name === 'deadline' ? (anchored[status]?.[name] ?? 'unchanged') : expected;
      if (expectedAnchored === expected) continue;
      it(`${status} + ${name} -> ${expectedAnchored}, for a project or conversation`, () => {
        expect(after(dueSession({ status, project_id: 'p' }), event)).toBe(expectedAnchored);
        expect(after(dueSession({ status, conversation_id: 'c' }), event)).toBe(expectedAnchored);
      });
    }
  }

  it('says what was in the way when the time to start is over', () => {
    const late = changed(sessionDocument({ status: 'creating' }), { type: 'start_deadline', lastSeen: 'helper: no route' });
    expect(late.reason).toBe('start_deadline: not ready within 600 s; last seen: helper: no route');
  });

  it('makes the pod anew, once, with an init container where the image has no shell', () => {
    const uploading = sessionDocument({ status: 'creating', helper: { delivery: 'upload', secret: null } });
    const next = changed(uploading, { type: 'no_shell' });
    expect(next).toMatchObject({ status: 'creating', generation: 2, pod_uid: null, helper: { delivery: 'init' } });
    expect(next.start_deadline).toBe(uploading.start_deadline);
    expect(after(next, { type: 'no_shell' })).toBe('unchanged');
  });

  it('rebuilds a lost pod on its volume as the next generation, also where the workspace is one of several mounts', () => {
    const mount = {
      volume_id: 'v',
      type: 'persistent_volume',
      source: 'c',
      mount_path: '/workspace',
      read_only: false,
      size_gb: 1,
      shared: false,
    } as const;
    const mounted = { spec: { ...sessionDocument().spec, volumes: [mount] } };
    expect(after(sessionDocument(mounted), { type: 'pod_lost', reason: 'evicted', podUid: 'uid-1' })).toBe('creating');
    const rebuilt = changed(sessionDocument({ ...onVolume, generation: 3 }), { type: 'pod_lost', reason: 'evicted', podUid: 'uid-1' });
    expect(rebuilt).toMatchObject({ status: 'creating', generation: 4, pod_uid: null, reason: 'pod_lost: evicted' });
    expect(rebuilt.start_deadline).toBe('2026-03-01T12:10:00.000Z');
  });

  it('takes no notice of what is said of an earlier pod', () => {
    const said = [events['pod_ready'], events['start_failed'], events['start_deadline'], events['no_shell']] as SessionEvent[];
    for (const event of said) {
      expect(after(dueSession({ status: 'creating', generation: 2 }), { ...event, generation: 1 } as SessionEvent)).toBe('unchanged');
    }
    expect(after(dueSession({ pod_uid: 'uid-2' }), { type: 'crash_loop', reason: 'CrashLoopBackOff: 1', podUid: 'uid-1' })).toBe(
      'unchanged',
    );
  });

  it('takes no notice of the loss of an earlier pod', () => {
    expect(after(sessionDocument({ pod_uid: 'uid-2' }), { type: 'pod_lost', reason: 'evicted', podUid: 'uid-1' })).toBe('unchanged');
  });

  it('gives up at the third loss within ten minutes, and forgets older ones', () => {
    const lost = { type: 'pod_lost', reason: 'evicted', podUid: 'uid-1' } as const;
    const recent = ['2026-03-01T11:52:00.000Z', '2026-03-01T11:58:00.000Z'];
    expect(after(sessionDocument({ ...onVolume, pod_losses: recent }), lost)).toBe('failed');
    const old = ['2026-03-01T11:49:59.000Z', '2026-03-01T11:58:00.000Z'];
    expect(after(sessionDocument({ ...onVolume, pod_losses: old }), lost)).toBe('creating');
  });

  it('does not end a session whose deadline was put off, or is not reached by this clock', () => {
    expect(after(sessionDocument({ expires_at: '2026-03-01T12:00:00.001Z' }), { type: 'deadline' })).toBe('unchanged');
    expect(after(sessionDocument({ expires_at: '2026-03-01T12:00:00.000Z' }), { type: 'deadline' })).toBe('terminating');
  });

  it('does not stop as idle what has another pod by now, or no idle timeout any more', () => {
    const idle = { type: 'stop', cause: 'idle', generation: 1 } as const;
    expect(after(dueSession({ generation: 2 }), idle)).toBe('unchanged');
    expect(after(dueSession({ idle_timeout_minutes: null }), idle)).toBe('unchanged');
  });

  it('takes no notice of the end of an earlier pod', () => {
    expect(after(dueSession({ status: 'stopping', pod_uid: 'uid-2' }), { type: 'pod_gone', podUid: 'uid-1' })).toBe('unchanged');
  });

  it('starts a restarted session again as soon as its pod is gone, with the next generation and no hold given back', () => {
    const stopping = changed(dueSession({}), { type: 'restart' });
    expect(stopping).toMatchObject({ status: 'stopping', restarts: true, generation: 1 });
    const next = changed(stopping, { type: 'pod_gone', podUid: 'uid-1' });
    expect(next).toMatchObject({ status: 'creating', restarts: false, generation: 2, pod_uid: null, stopped_at: null });
  });

  it('lets the last word of stop and start count while the pod is still going', () => {
    const stopping = changed(dueSession({}), { type: 'stop', cause: 'requested' });
    const starting = changed(stopping, { type: 'start' });
    expect(starting).toMatchObject({ status: 'stopping', restarts: true });
    expect(after(starting, { type: 'start' })).toBe('unchanged');
    const stopped = changed(changed(starting, { type: 'stop', cause: 'requested' }), { type: 'pod_gone', podUid: 'uid-1' });
    expect(stopped).toMatchObject({ status: 'stopped', pod_uid: null, stopped_at: testNow.toISOString() });
  });

  it('does not start again what is deleted while it restarts', () => {
    const deleted = changed(dueSession({ status: 'stopping', restarts: true }), { type: 'delete' });
    expect(deleted).toMatchObject({ status: 'terminating', restarts: false });
  });

  it('gives a session of a project a new deadline when it starts, and others keep theirs', () => {
    const expires_at = '2026-03-01T11:00:00.000Z';
    expect(changed(dueSession({ status: 'stopped', project_id: 'p', expires_at }), { type: 'start' }).expires_at).toBe(
      '2026-03-01T13:00:00.000Z',
    );
    expect(changed(dueSession({ status: 'stopped', expires_at }), { type: 'start' }).expires_at).toBe(expires_at);
  });

  it('makes the next pod from what a rebuild says, once for each generation', () => {
    const rebuild = { template: 'node', resource_tier: 'large', spec: { ...sessionDocument().spec, image: 'node:24-slim' } };
    const stopping = changed(dueSession({}), { type: 'restart', rebuild, generation: 1 });
    expect(stopping).toMatchObject({ status: 'stopping', template: 'node', spec: { image: 'node:24-slim' } });
    expect(after(stopping, { type: 'restart', rebuild, generation: 1 })).toBe('unchanged');
    const next = changed(stopping, { type: 'pod_gone', podUid: 'uid-1' });
    expect(after({ ...next, status: 'running' }, { type: 'restart', rebuild, generation: 1 })).toBe('unchanged');
  });

  it('tells of each restart of the container once, and of those of the present pod alone', () => {
    const once = changed(dueSession({}), { type: 'container_restarted', podUid: 'uid-1', count: 2, message: 'out of memory' });
    expect(once.history.at(-1)).toEqual({ at: testNow.toISOString(), type: 'container_restarted', message: 'out of memory' });
    expect(after(once, { type: 'container_restarted', podUid: 'uid-1', count: 2, message: 'again' })).toBe('unchanged');
    expect(after(once, { type: 'container_restarted', podUid: 'uid-0', count: 3, message: 'another' })).toBe('unchanged');
  });

  it('says why a session has stopped where nobody asked for it', () => {
    expect(changed(dueSession({}), { type: 'stop', cause: 'idle', generation: 1 }).reason).toMatch(/^idle: /);
    expect(changed(dueSession({ project_id: 'p' }), { type: 'deadline' }).reason).toMatch(/^deadline: /);
    expect(changed(dueSession({ status: 'stopped', reason: 'idle: x' }), { type: 'start' }).reason).toBeNull();
  });

  it('puts the next look at an active session off without a word in its history', () => {
    const session = dueSession({ expires_at: '2026-03-02T00:00:00.000Z', due_at: testNow.toISOString() });
    const looked = changed(session, { type: 'active' });
    expect(looked).toMatchObject({ due_at: '2026-03-01T13:00:00.000Z', history: session.history, last_change: session.last_change });
    expect(looked.started_at).toBe(session.started_at);
  });

  it('says who changed it, and keeps the newest fifty entries of its history', () => {
    const history = Array.from({ length: 50 }, (_, index) => ({ at: testNow.toISOString(), type: 'running', message: `${index}` }));
    const next = changed(sessionDocument({ history }), { type: 'delete' });
    expect(next.last_change).toEqual(by);
    expect(next.updated_at).toBe(testNow.toISOString());
    expect(next.history).toHaveLength(50);
    expect(next.history[0]?.message).toBe('1');
    expect(next.history.at(-1)?.type).toBe('terminating');
  });

  it('keeps a terminated session readable for seven days', () => {
    expect(changed(sessionDocument({ status: 'terminating' }), { type: 'released' })).toMatchObject({
      terminated_at: '2026-03-01T12:00:00.000Z',
      purge_at: '2026-03-08T12:00:00.000Z',
    });
  });
});
