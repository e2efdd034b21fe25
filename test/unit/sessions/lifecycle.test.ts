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
  pod_gone: { type: 'pod_gone' },
  pod_lost: { type: 'pod_lost', reason: 'the node is gone', podUid: 'uid-1' },
  crash_loop: { type: 'crash_loop', reason: 'CrashLoopBackOff: exit 1' },
  start: { type: 'start' },
  deadline: { type: 'deadline' },
  delete: { type: 'delete' },
  released: { type: 'released' },
};

/** Every state and event; what is not named changes nothing. */
const table: Record<SessionStatus, Record<string, SessionStatus | 'refused'>> = {
  creating: {
    pod_ready: 'running',
    no_shell: 'creating',
    start_failed: 'failed',
    start_deadline: 'failed',
    stop: 'refused',
    start: 'refused',
    deadline: 'terminating',
    delete: 'terminating',
  },
  running: { stop: 'stopping', pod_lost: 'failed', crash_loop: 'failed', deadline: 'terminating', delete: 'terminating' },
  stopping: { pod_gone: 'stopped', start: 'refused', deadline: 'terminating', delete: 'terminating' },
  stopped: { start: 'creating', deadline: 'terminating', delete: 'terminating' },
  failed: { start: 'creating', stop: 'refused', deadline: 'terminating', delete: 'terminating' },
  terminating: { released: 'terminated', start: 'refused', stop: 'refused' },
  terminated: { start: 'refused', stop: 'refused' },
};

describe('nextState', () => {
  for (const status of sessionStatuses) {
    for (const [name, event] of Object.entries(events)) {
      const expected = table[status][name] ?? 'unchanged';
      it(`${status} + ${name} -> ${expected}`, () => {
        expect(after(sessionDocument({ status }), event)).toBe(expected);
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

  it('rebuilds a lost pod on its volume as the next generation', () => {
    const rebuilt = changed(sessionDocument({ ...onVolume, generation: 3 }), { type: 'pod_lost', reason: 'evicted', podUid: 'uid-1' });
    expect(rebuilt).toMatchObject({ status: 'creating', generation: 4, pod_uid: null, reason: 'pod_lost: evicted' });
    expect(rebuilt.start_deadline).toBe('2026-03-01T12:10:00.000Z');
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

  it('stops sessions of projects and conversations at their deadline instead of ending them', () => {
    const deadline = { type: 'deadline' } as const;
    expect(after(sessionDocument({ project_id: 'p' }), deadline)).toBe('stopping');
    expect(after(sessionDocument({ conversation_id: 'c' }), deadline)).toBe('stopping');
    expect(after(sessionDocument({ project_id: 'p', status: 'stopped' }), deadline)).toBe('unchanged');
    expect(after(sessionDocument({ project_id: 'p', status: 'stopped' }), { type: 'delete' })).toBe('terminating');
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
