/**
 * What has to be done about one session. Pure: its document, its pod as it was last seen, and the time in; an action out.
 *
 * @module
 */
import { podState, sessionStatus } from '../pods/status.ts';
import { isAnchored } from '../sessions/due.ts';
import { dueAt } from '../sessions/lifecycle.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { SessionAction, Sighting } from './actions.ts';

/** What is due by the document alone. */
export function planDue(session: SessionDocument, now: Date): SessionAction | undefined {
  const { id, due_at: due } = session;
  if (due === null || Date.parse(due) > now.getTime()) return undefined;
  if (session.status === 'creating' && !isPastDeadline(session, now)) return { type: 'provision', id };
  return session.status === 'terminated' ? { type: 'forget_secrets', id } : { type: 'expire', id };
}

/** A deadline ends a session in any state, also one whose pod will not come up. */
function isPastDeadline(session: SessionDocument, now: Date): boolean {
  return !isAnchored(session) && Date.parse(session.expires_at) <= now.getTime();
}

/** `pod` is the session's pod, or `undefined` where the cluster was asked and has none of its name. */
export function planSession(session: SessionDocument, pod: Sighting | undefined, now: Date): SessionAction | undefined {
  const due = planDue(session, now);
  if (due !== undefined) return due;
  return session.status === 'running' ? planRunning(session, pod, now) : undefined;
}

function planRunning(session: SessionDocument, pod: Sighting | undefined, now: Date): SessionAction | undefined {
  const { id } = session;
  if (pod === undefined || pod.uid !== session.pod_uid) return { type: 'pod_lost', id, reason: 'the pod is gone' };
  if (pod.deletedAt !== null) return { type: 'pod_lost', id, reason: 'the pod is being deleted' };
  if (pod.pod === undefined) return undefined;
  const state = podState(pod.pod, { now });
  if (state.kind === 'failed') {
    const reason = `${state.reason}: ${state.message}`;
    return { type: state.reason === 'CrashLoopBackOff' ? 'crash_loop' : 'pod_lost', id, reason };
  }
  return planRestart(session, pod);
}

/** The kubelet has restarted the container in place: the workspace is there, what ran in it is not. */
function planRestart(session: SessionDocument, { uid, pod }: Sighting): SessionAction | undefined {
  const container = pod === undefined ? undefined : sessionStatus(pod);
  if (container === undefined || container.restartCount <= (session.container_restarts ?? 0)) return undefined;
  const last = container.lastState?.terminated;
  const why =
    last?.reason === 'OOMKilled' ? 'it used more memory than its limit' : `it ended with exit code ${last?.exitCode ?? 'unknown'}`;
  return {
    type: 'container_restarted',
    id: session.id,
    podUid: uid,
    count: container.restartCount,
    message: `The container was restarted: ${why}`,
  };
}

/** A document whose time was written by another version, or by hand. What has ended is looked at once more, and then never. */
export function planMend(session: SessionDocument): SessionAction | undefined {
  if (session.status === 'terminated' || session.due_at === dueAt(session)) return undefined;
  return { type: 'mend_due', id: session.id };
}
