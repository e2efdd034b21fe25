/**
 * Laying the `expire` task: whatever it finds when it runs, it reads the document again and does what is due (`expire.ts`).
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { SessionDocument } from './model.ts';
import { expireTaskName, SWEEP_TASK_SECONDS, wakeTime } from './task-names.ts';

/** At the time when the session has to be looked at next; laying it again for the same second changes nothing. */
export async function enqueueExpire(deps: Deps, session: SessionDocument): Promise<'enqueued' | 'duplicate'> {
  if (session.status === 'terminated') return 'duplicate';
  return enqueueExpireAt(deps, session.id, wakeTime(session, deps.clock.now()));
}

export async function enqueueExpireAt(deps: Deps, id: string, wake: Date): Promise<'enqueued' | 'duplicate'> {
  return deps.queue.enqueue({ name: expireTaskName(id, wake), target: 'expire', payload: { session_id: id }, scheduleTime: wake });
}

/**
 * Used by the sweep: lays a task for what is due now, once a minute at most. It does not do it itself: one pod that will not go takes minutes.
 * The task is over before the next sweep, which lays another: however long the pod takes, one such task is at it.
 */
export async function ensureExpireTask(deps: Deps, { id, spec }: Pick<SessionDocument, 'id' | 'spec'>): Promise<void> {
  const minute = new Date(Math.floor(deps.clock.now().getTime() / 60_000) * 60_000);
  // Under a name of its own: the task of a deadline at the full minute may be the very one that was lost.
  // A command that runs before the end is cancelled by whoever stops listening to it.
  const payload = { session_id: id, ...(spec.before_stop === null ? { within_seconds: SWEEP_TASK_SECONDS } : {}) };
  await deps.queue.enqueue({ name: `${expireTaskName(id, minute)}-sweep`, target: 'expire', payload });
}
