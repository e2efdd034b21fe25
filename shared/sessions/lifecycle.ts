/**
 * The states of a session and the only place that decides between them (design §4).
 *
 * `nextState` is pure: the document, what happened, the time. Everything that does I/O calls it and writes what it answers with one
 * compare-and-swap.
 *
 * | from | when | to |
 * |---|---|---|
 * | creating | `pod_ready` | running |
 * | creating | `no_shell`: once more, with an init container | creating |
 * | creating | `start_failed`, `start_deadline` | failed |
 * | running | `stop` (requested, idle), `restart`, `deadline` of an anchored session | stopping |
 * | running | `pod_lost`, the workspace is on a volume | creating (generation + 1) |
 * | running | `pod_lost`, the workspace was in the pod, or the third loss within ten minutes; `crash_loop` | failed |
 * | stopping | `pod_gone` | stopped |
 * | stopping | `pod_gone` of one that `restarts` | creating (generation + 1) |
 * | stopped, failed | `start`, `restart`: admitted anew by who writes it | creating (generation + 1) |
 * | creating, running, stopping, stopped, failed | `delete`; `deadline` where the session is not anchored | terminating |
 * | terminating | `released` | terminated |
 *
 * Within a state: `delete` of one that is terminating may still say that its data goes, too; `start`, `restart` and `stop` of one that is stopping turn `restarts` on and off; `container_restarted` goes into the
 * history; `active` puts the next look at an idle session off.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChannelKind } from '../helper/model.ts';
import { isAnchored, withDue } from './due.ts';
import type { HistoryEntry, LastChange, SessionDocument, SessionStatus } from './model.ts';
import { lostPod, restartedPod, startedAgain, type Change, type Rebuild } from './next-pod.ts';

export { dueAt, withDue } from './due.ts';

/** What somebody says of a pod that is to start; `generation` is that pod's: a later one has nothing to do with it. */
interface OfPod {
  readonly generation?: number;
}

export type SessionEvent =
  | (OfPod & { readonly type: 'pod_ready'; readonly podUid: string; readonly nodeName: string | null; readonly channel: ChannelKind })
  /** The image has no shell that could take the helper by upload. */
  | (OfPod & { readonly type: 'no_shell' })
  /** The pod cannot start; `reason` is `<code>: <words>`. */
  | (OfPod & { readonly type: 'start_failed'; readonly reason: string })
  /** `lastSeen`: what was in the way, in words. */
  | (OfPod & { readonly type: 'start_deadline'; readonly lastSeen?: string })
  | { readonly type: 'stop'; readonly cause: 'requested' }
  /** `generation` is that of the pod that was found idle: a later one is not. */
  | { readonly type: 'stop'; readonly cause: 'idle'; readonly generation: number }
  /** The pod of a stopping session is gone. `podUid` is that pod's. `note`: what went wrong before it went, for the history. */
  | { readonly type: 'pod_gone'; readonly podUid: string | null; readonly note?: string }
  /** The pod of a running session is gone and nobody asked for it. `podUid` is the lost one's: a later pod has nothing to do with it. */
  | { readonly type: 'pod_lost'; readonly reason: string; readonly podUid: string | null }
  /** The same is true of its crashes. */
  | { readonly type: 'crash_loop'; readonly reason: string; readonly podUid: string | null }
  /** The kubelet has restarted the container, `count` times by now. */
  | { readonly type: 'container_restarted'; readonly podUid: string | null; readonly count: number; readonly message: string }
  /** Somebody looked whether the session is idle, and it is not. */
  | { readonly type: 'active' }
  /** `rebuild`: what the next pod is made from instead. `generation`: of the pod that is to go; a later one stays as it is. */
  | { readonly type: 'start' | 'restart'; readonly rebuild?: Rebuild; readonly generation?: number }
  | { readonly type: 'deadline' }
  /** `preserveData`: over what was asked for at create. `undo`: nobody has got the session, for its create was answered with an error. */
  | { readonly type: 'delete'; readonly preserveData?: boolean; readonly undo?: true }
  /** Everything that a terminating session held is gone. */
  | { readonly type: 'released'; readonly note?: string };

export type StartEvent = Extract<SessionEvent, { readonly type: 'start' | 'restart' }>;
/** All others: a start may take from its owner's limits, so it is written by `start.ts`. */
export type ChangeEvent = Exclude<SessionEvent, StartEvent>;
/** How a start went. */
export type StartOutcome = Extract<SessionEvent, { readonly type: 'pod_ready' | 'no_shell' | 'start_failed' | 'start_deadline' }>;

export type Transition =
  | { readonly kind: 'changed'; readonly session: SessionDocument }
  /** It has happened already, or does not matter in this state. */
  | { readonly kind: 'unchanged' }
  /** A caller asked for something that this state does not allow. */
  | { readonly kind: 'refused'; readonly status: SessionStatus };

type Decided = Change | undefined | 'refused';

const HISTORY_ENTRIES = 50;
const TERMINATED_READABLE_MS = 7 * 24 * 3_600_000;

/** In these states the session counts against its owner's limits. */
export function holdsResources(status: SessionStatus): boolean {
  return status === 'creating' || status === 'running' || status === 'stopping' || status === 'terminating';
}

/** A deadline that was put off, or is not reached by this clock yet, is none: whoever came early comes again. */
function onDeadline(session: SessionDocument, now: Date): Change | undefined {
  if (Date.parse(session.expires_at) > now.getTime()) return undefined;
  if (isAnchored(session)) {
    if (session.status !== 'running') return undefined;
    const message = 'The deadline is reached; the session stops';
    return { status: 'stopping', message, fields: { reason: 'deadline: it is started again by its next use' } };
  }
  return { status: 'terminating', message: 'The deadline is reached; the session ends', fields: { restarts: false } };
}

/** The pod is made anew, once, with an init container that brings the helper. */
function onNoShell(session: SessionDocument, now: Date): Change | undefined {
  const { helper = { delivery: 'upload', secret: null } } = session;
  if (helper.delivery !== 'upload') return undefined;
  const fields = {
    ...restartedPod(session, now),
    start_deadline: session.start_deadline,
    helper: { ...helper, delivery: 'init' as const },
  };
  return { status: 'creating', message: 'The image has no shell; the helper comes by an init container', fields };
}

function decideCreating(session: SessionDocument, event: SessionEvent, now: Date): Decided {
  switch (event.type) {
    case 'pod_ready':
      return {
        status: 'running',
        message: event.nodeName === null ? 'The pod is ready' : `The pod is ready on ${event.nodeName}`,
        fields: {
          pod_uid: event.podUid,
          node_name: event.nodeName,
          channel: event.channel,
          started_at: now.toISOString(),
          container_restarts: 0,
          reason: null,
        },
      };
    case 'no_shell':
      return onNoShell(session, now);
    case 'start_failed':
      return { status: 'failed', message: event.reason, fields: { reason: event.reason } };
    case 'start_deadline': {
      const reason = `start_deadline: not ready within ${session.spec.start_deadline_seconds} s`;
      const seen = event.lastSeen ?? session.reason;
      const words = seen === null ? reason : `${reason}; last seen: ${seen}`;
      return { status: 'failed', message: words, fields: { reason: words } };
    }
    case 'stop':
      return event.cause === 'idle' ? undefined : 'refused';
    default:
      return undefined;
  }
}

function decideRunning(session: SessionDocument, event: SessionEvent, now: Date): Decided {
  switch (event.type) {
    case 'stop':
      if (event.cause === 'requested') return { status: 'stopping', message: 'The session stops' };
      if (event.generation !== session.generation || session.idle_timeout_minutes === null) return undefined;
      return {
        status: 'stopping',
        message: `Idle for ${session.idle_timeout_minutes} minutes; the session stops`,
        fields: { reason: `idle: nothing happened in it for ${session.idle_timeout_minutes} minutes` },
      };
    case 'restart':
      return { status: 'stopping', message: 'The session restarts', fields: { ...event.rebuild, restarts: true } };
    case 'pod_lost':
      return event.podUid === session.pod_uid ? lostPod(session, event.reason, now) : undefined;
    case 'crash_loop':
      if (event.podUid !== session.pod_uid) return undefined;
      return { status: 'failed', message: event.reason, fields: { reason: event.reason } };
    case 'container_restarted': {
      if (event.podUid !== session.pod_uid || event.count <= (session.container_restarts ?? 0)) return undefined;
      return { status: 'running', message: event.message, fields: { container_restarts: event.count } };
    }
    case 'active':
      return { status: 'running', message: null };
    default:
      return undefined;
  }
}

function decideStopping(session: SessionDocument, event: SessionEvent, now: Date): Decided {
  switch (event.type) {
    case 'pod_gone': {
      if (event.podUid !== session.pod_uid) return undefined;
      const note = event.note === undefined ? '' : ` (${event.note})`;
      if (session.restarts) return startedAgain(session, `The pod is gone${note}; the next one starts`, now);
      return {
        status: 'stopped',
        message: `The pod is gone${note}`,
        fields: { pod_uid: null, node_name: null, channel: null, stopped_at: now.toISOString() },
      };
    }
    case 'start':
    case 'restart':
      if (session.restarts && isRebuilt(session, event.rebuild)) return undefined;
      return { status: 'stopping', message: 'The session starts again once its pod is gone', fields: { ...event.rebuild, restarts: true } };
    case 'stop':
      if (!session.restarts || event.cause === 'idle') return undefined;
      return { status: 'stopping', message: 'The session stops and does not start again', fields: { restarts: false } };
    default:
      return undefined;
  }
}

function isRebuilt(session: SessionDocument, rebuild: Rebuild | undefined): boolean {
  if (rebuild === undefined) return true;
  const { template, resource_tier, spec } = session;
  const { active_deadline_seconds } = spec;
  // It comes from the owner's limits, not from the request.
  return isDeepStrictEqual({ template, resource_tier, spec }, { ...rebuild, spec: { ...rebuild.spec, active_deadline_seconds } });
}

function decideResting(session: SessionDocument, event: SessionEvent, now: Date): Decided {
  if (event.type === 'start' || event.type === 'restart') {
    const again = startedAgain({ ...session, ...event.rebuild }, 'The session starts again', now);
    return { ...again, fields: { ...again.fields, ...event.rebuild, reason: null, pod_losses: [] } };
  }
  return event.type === 'stop' && session.status === 'failed' && event.cause === 'requested' ? 'refused' : undefined;
}

function decideEnding(session: SessionDocument, event: SessionEvent, now: Date): Decided {
  if (event.type === 'start' || event.type === 'restart') return 'refused';
  if (event.type === 'stop') return event.cause === 'idle' ? undefined : 'refused';
  if (session.status === 'terminated') return undefined;
  if (event.type === 'delete' && event.preserveData === false && session.preserve_data) {
    return { status: 'terminating', message: 'Its data goes, too', fields: { preserve_data: false } };
  }
  if (event.type !== 'released') return undefined;
  return {
    status: 'terminated',
    message: event.note === undefined ? 'Everything is released' : `Everything is released (${event.note})`,
    fields: {
      terminated_at: now.toISOString(),
      purge_at: new Date(now.getTime() + TERMINATED_READABLE_MS).toISOString(),
    },
  };
}

function decide(session: SessionDocument, event: SessionEvent, now: Date): Decided {
  const ending = session.status === 'terminating' || session.status === 'terminated';
  if (ending) return decideEnding(session, event, now);
  if (event.type === 'delete') {
    const { preserveData: preserve_data = session.preserve_data, undo } = event;
    const fields = { preserve_data, restarts: false, ...(undo === true ? { undone: undo } : {}) };
    return { status: 'terminating', message: 'The session is deleted', fields };
  }
  if (event.type === 'deadline') return onDeadline(session, now);
  if ('generation' in event && event.generation !== undefined && event.generation !== session.generation) return undefined;
  switch (session.status) {
    case 'creating':
      return decideCreating(session, event, now);
    case 'running':
      return decideRunning(session, event, now);
    case 'stopping':
      return decideStopping(session, event, now);
    default:
      return decideResting(session, event, now);
  }
}

/** What the event makes of the session; `by` is kept in the document as the author of the change. */
export function nextState(session: SessionDocument, event: SessionEvent, now: Date, by: LastChange): Transition {
  const change = decide(session, event, now);
  if (change === 'refused') return { kind: 'refused', status: session.status };
  if (change === undefined) return { kind: 'unchanged' };
  const entries: readonly HistoryEntry[] =
    change.message === null ? [] : [{ at: now.toISOString(), type: historyType(change, event), message: change.message }];
  const next: SessionDocument = {
    ...session,
    ...change.fields,
    status: change.status,
    updated_at: now.toISOString(),
    // Who looks changes nothing, so the last to change it is still who it was.
    last_change: event.type === 'active' ? session.last_change : by,
    history: [...session.history, ...entries].slice(-HISTORY_ENTRIES),
  };
  return { kind: 'changed', session: withDue(next) };
}

function historyType(change: Change, event: SessionEvent): string {
  return event.type === 'container_restarted' ? event.type : change.status;
}
