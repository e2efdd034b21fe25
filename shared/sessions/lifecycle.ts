/**
 * The states of a session and the only place that decides between them (design §4).
 *
 * `nextState` is pure: the document, what happened, the time. Everything that does I/O calls it and writes what it answers with one
 * compare-and-swap.
 *
 * @module
 */
import type { ChannelKind } from '../helper/model.ts';
import type { HistoryEntry, LastChange, SessionDocument, SessionStatus } from './model.ts';

export type SessionEvent =
  | { readonly type: 'pod_ready'; readonly podUid: string; readonly nodeName: string | null; readonly channel: ChannelKind }
  /** The image has no shell that could take the helper by upload. */
  | { readonly type: 'no_shell' }
  /** The pod cannot start; `reason` is `<code>: <words>`. */
  | { readonly type: 'start_failed'; readonly reason: string }
  /** `lastSeen`: what was in the way, in words. */
  | { readonly type: 'start_deadline'; readonly lastSeen?: string }
  | { readonly type: 'stop'; readonly cause: 'requested' | 'idle' }
  /** The pod of a stopping session is gone. */
  | { readonly type: 'pod_gone' }
  /** The pod of a running session is gone and nobody asked for it. `podUid` is the lost one's: a later pod has nothing to do with it. */
  | { readonly type: 'pod_lost'; readonly reason: string; readonly podUid: string | null }
  | { readonly type: 'crash_loop'; readonly reason: string }
  | { readonly type: 'start' }
  | { readonly type: 'deadline' }
  | { readonly type: 'delete' }
  /** Everything that a terminating session held is gone. */
  | { readonly type: 'released' };

export type Transition =
  | { readonly kind: 'changed'; readonly session: SessionDocument }
  /** It has happened already, or does not matter in this state. */
  | { readonly kind: 'unchanged' }
  /** A caller asked for something that this state does not allow. */
  | { readonly kind: 'refused'; readonly status: SessionStatus };

const MINUTE_MS = 60_000;
const POD_LOSS_WINDOW_MS = 10 * MINUTE_MS;
const POD_LOSSES_ALLOWED = 3;
const HISTORY_ENTRIES = 50;
const TERMINATED_READABLE_DAYS = 7;

/** In these states the session counts against its owner's limits. */
export function holdsResources(status: SessionStatus): boolean {
  return status === 'creating' || status === 'running' || status === 'stopping' || status === 'terminating';
}

/** Sessions of projects and conversations stop at their deadline, for their users resume where they left off; only a delete ends them. */
function stopsAtDeadline(session: SessionDocument): boolean {
  return session.project_id !== null || session.conversation_id !== null;
}

function workspaceSurvivesPod(session: SessionDocument): boolean {
  return session.spec.storage_type !== 'ephemeral';
}

interface Change {
  readonly status: SessionStatus;
  readonly message: string;
  readonly fields?: Partial<SessionDocument>;
}

function later(now: Date, milliseconds: number): string {
  return new Date(now.getTime() + milliseconds).toISOString();
}

function restartedPod(session: SessionDocument, now: Date): Partial<SessionDocument> {
  return {
    generation: session.generation + 1,
    pod_uid: null,
    node_name: null,
    channel: null,
    start_deadline: later(now, session.spec.start_deadline_seconds * 1000),
  };
}

function onPodLost(session: SessionDocument, reason: string, now: Date): Change {
  const recent = session.pod_losses.filter((at) => now.getTime() - Date.parse(at) < POD_LOSS_WINDOW_MS);
  const losses = [...recent, now.toISOString()];
  if (!workspaceSurvivesPod(session)) {
    return { status: 'failed', message: `pod_lost: ${reason}`, fields: { reason: `pod_lost: ${reason}`, pod_losses: losses } };
  }
  if (losses.length >= POD_LOSSES_ALLOWED) {
    const words = `pod_lost: lost ${losses.length} times in ten minutes, last: ${reason}`;
    return { status: 'failed', message: words, fields: { reason: words, pod_losses: losses } };
  }
  const fields = { ...restartedPod(session, now), reason: `pod_lost: ${reason}`, pod_losses: losses };
  return { status: 'creating', message: `The pod was lost and is rebuilt on its volume: ${reason}`, fields };
}

function onDeadline(session: SessionDocument): Change | undefined {
  if (stopsAtDeadline(session)) {
    return session.status === 'running' ? { status: 'stopping', message: 'The deadline is reached; the session stops' } : undefined;
  }
  return { status: 'terminating', message: 'The deadline is reached; the session ends' };
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

function decideCreating(session: SessionDocument, event: SessionEvent, now: Date): Change | undefined | 'refused' {
  switch (event.type) {
    case 'pod_ready':
      return {
        status: 'running',
        message: event.nodeName === null ? 'The pod is ready' : `The pod is ready on ${event.nodeName}`,
        fields: { pod_uid: event.podUid, node_name: event.nodeName, channel: event.channel, reason: null },
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
    case 'start':
      return 'refused';
    default:
      return undefined;
  }
}

function decideRunning(session: SessionDocument, event: SessionEvent, now: Date): Change | undefined | 'refused' {
  switch (event.type) {
    case 'stop':
      return { status: 'stopping', message: event.cause === 'idle' ? 'Idle for its idle timeout; the session stops' : 'The session stops' };
    case 'pod_lost':
      return event.podUid === session.pod_uid ? onPodLost(session, event.reason, now) : undefined;
    case 'crash_loop':
      return { status: 'failed', message: event.reason, fields: { reason: event.reason } };
    default:
      return undefined;
  }
}

function decideResting(session: SessionDocument, event: SessionEvent, now: Date): Change | undefined | 'refused' {
  if (event.type === 'start') {
    return {
      status: 'creating',
      message: 'The session starts again',
      fields: { ...restartedPod(session, now), reason: null, pod_losses: [] },
    };
  }
  return event.type === 'stop' && session.status === 'failed' ? 'refused' : undefined;
}

function decideEnding(session: SessionDocument, event: SessionEvent, now: Date): Change | undefined | 'refused' {
  if (event.type === 'start' || event.type === 'stop') return 'refused';
  if (event.type !== 'released' || session.status === 'terminated') return undefined;
  return {
    status: 'terminated',
    message: 'Everything is released',
    fields: {
      terminated_at: now.toISOString(),
      purge_at: later(now, TERMINATED_READABLE_DAYS * 24 * 60 * MINUTE_MS),
    },
  };
}

function decide(session: SessionDocument, event: SessionEvent, now: Date): Change | undefined | 'refused' {
  const ending = session.status === 'terminating' || session.status === 'terminated';
  if (ending) return decideEnding(session, event, now);
  if (event.type === 'delete') return { status: 'terminating', message: 'The session is deleted' };
  if (event.type === 'deadline') return onDeadline(session);
  switch (session.status) {
    case 'creating':
      return decideCreating(session, event, now);
    case 'running':
      return decideRunning(session, event, now);
    case 'stopping':
      if (event.type === 'pod_gone')
        return { status: 'stopped', message: 'The pod is gone', fields: { pod_uid: null, node_name: null, channel: null } };
      return event.type === 'start' ? 'refused' : undefined;
    default:
      return decideResting(session, event, now);
  }
}

/** What the event makes of the session; `by` is kept in the document as the author of the change. */
export function nextState(session: SessionDocument, event: SessionEvent, now: Date, by: LastChange): Transition {
  const change = decide(session, event, now);
  if (change === 'refused') return { kind: 'refused', status: session.status };
  if (change === undefined) return { kind: 'unchanged' };
  const entry: HistoryEntry = { at: now.toISOString(), type: change.status, message: change.message };
  return {
    kind: 'changed',
    session: {
      ...session,
      started_at: change.status === 'running' ? now.toISOString() : session.started_at,
      ...change.fields,
      status: change.status,
      updated_at: now.toISOString(),
      last_change: by,
      history: [...session.history, entry].slice(-HISTORY_ENTRIES),
    },
  };
}
