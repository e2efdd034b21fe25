/**
 * Ending a session: by its owner, or by its deadline.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { bySystem, changeSession, readSession } from './change.ts';
import { finishTermination } from './end.ts';
import type { LastChange, SessionDocument } from './model.ts';
import { expireTaskName, wakeTime } from './task-names.ts';

/** A pod whose processes end on TERM is gone by then; what takes longer is left to the task. */
const INLINE_MS = 5000;
const SAFETY_NET_MS = 15_000;
/** A task's request may last ten minutes; it ends before and answers 503, so that it is delivered again. */
const TASK_MS = 9 * 60_000;

/**
 * Marks the session `terminating`, then takes away what it has, within a few seconds. What is left then (a slow pod, an API server
 * that is away) is finished by the task that was laid first, or by the sweep: so it succeeds as soon as the document says so.
 */
export async function deleteSession(deps: Deps, id: string, by: LastChange): Promise<void> {
  const result = await changeSession(deps, id, { type: 'delete' }, by);
  if (result === undefined || result.session.status === 'terminated') return;
  const now = deps.clock.now();
  const wake = new Date(now.getTime() + SAFETY_NET_MS);
  const name = expireTaskName(id, wake);
  await deps.queue.enqueue({ name, target: 'expire', payload: { session_id: id }, scheduleTime: wake });
  const ended = await finishInTime(deps, result.session);
  if (ended?.status === 'terminated') await deps.queue.withdraw(name);
}

async function finishInTime(deps: Deps, session: SessionDocument): Promise<SessionDocument | undefined> {
  try {
    using deadline = startDeadline(INLINE_MS);
    return await finishTermination(deps, session, deadline.signal);
  } catch (error) {
    deps.log.log('warn', 'the end of a session is left to its task', {
      component: 'sessions',
      action: 'delete',
      session_id: session.id,
      error: translateKubernetesError(error),
    });
    return undefined;
  }
}

/**
 * The `expire` task: the document is the truth, so it looks there, does what is due and lays the next task where it is too early.
 * `again`: it is not over, and the task has to come again.
 */
export async function expireSession(deps: Deps, id: string, signal?: AbortSignal): Promise<'done' | 'again'> {
  const stored = await readSession(deps, id);
  if (stored === undefined) return 'done';
  const now = deps.clock.now();
  let session = stored.data;
  if (session.status !== 'terminating') {
    if (Date.parse(session.expires_at) > now.getTime()) {
      // A task that runs in the second of its own name cannot lay itself again.
      return (await enqueueExpire(deps, session)) === 'enqueued' || session.status === 'terminated' ? 'done' : 'again';
    }
    session = (await changeSession(deps, id, { type: 'deadline' }, bySystem))?.session ?? session;
  }
  if (session.status !== 'terminating') return 'done';
  using deadline = startDeadline(TASK_MS, signal);
  const ended = await finishTermination(deps, session, deadline.signal);
  return ended.status === 'terminating' ? 'again' : 'done';
}

/** Lays the task that looks at the session's deadline; laying it again under the same deadline changes nothing. */
export async function enqueueExpire(deps: Deps, session: SessionDocument): Promise<'enqueued' | 'duplicate'> {
  if (session.status === 'terminated') return 'duplicate';
  const wake = wakeTime(session, deps.clock.now());
  return deps.queue.enqueue({
    name: expireTaskName(session.id, wake),
    target: 'expire',
    payload: { session_id: session.id },
    scheduleTime: wake,
  });
}

/** Used by the sweep: lays a task for what is due now, once a minute at most. It does not do it itself: one pod that will not go takes minutes. */
export async function ensureExpireTask(deps: Deps, id: string): Promise<void> {
  const minute = new Date(Math.floor(deps.clock.now().getTime() / 60_000) * 60_000);
  await deps.queue.enqueue({ name: expireTaskName(id, minute), target: 'expire', payload: { session_id: id } });
}
