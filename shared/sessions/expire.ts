/**
 * The `expire` task: the document is the truth, so it looks there, does what is due, and lays the next task where it is too early.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { changeSession } from './change.ts';
import { isAnchored } from './due.ts';
import { finishTermination } from './end.ts';
import { enqueueExpire, enqueueExpireAt } from './expire-task.ts';
import { lookForActivity } from './idle.ts';
import type { SessionDocument } from './model.ts';
import { ensureProvisionTask } from './provision-task.ts';
import { finishStop } from './stop.ts';
import { wakeTime } from './task-names.ts';

/** A task's request may last ten minutes; it ends before and answers 503, so that it is delivered again. */
const TASK_MS = 9 * 60_000;
/** A task that comes before its time by another machine's clock cannot lay itself again under its own name: it is delivered again. */
const CLOCK_SKEW_MS = 60_000;

/**
 * `again`: it is not over, and the task has to come again. Throws what store and Kubernetes throw; then it has to come again, too. With
 * `withinSeconds` it is the sweep's, which comes again by itself.
 */
export async function expireSession(deps: Deps, id: string, signal?: AbortSignal, withinSeconds?: number): Promise<'done' | 'again'> {
  using deadline = startDeadline(withinSeconds === undefined ? TASK_MS : withinSeconds * 1000, signal);
  const outcome = await doWhatIsDue(deps, id, deadline.signal);
  return withinSeconds === undefined ? outcome : 'done';
}

async function doWhatIsDue(deps: Deps, id: string, signal: AbortSignal): Promise<'done' | 'again'> {
  const session = (await changeSession(deps, id, { type: 'deadline' }))?.session;
  if (session === undefined) return 'done';
  switch (session.status) {
    case 'terminating':
      return (await finishTermination(deps, session, signal)).status === 'terminating' ? 'again' : 'done';
    case 'stopping':
      return finishStopping(deps, session, signal);
    case 'running':
      return lookAtRunning(deps, session, signal);
    case 'creating':
      return comeAgain(deps, session);
    case 'stopped':
    case 'failed':
      return isAnchored(session) ? 'done' : comeAgain(deps, session);
    case 'terminated':
      return 'done';
  }
}

async function finishStopping(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<'done' | 'again'> {
  const stopped = await finishStop(deps, session, signal);
  if (stopped.status === 'stopping') return 'again';
  if (stopped.status === 'creating') await ensureProvisionTask(deps, session.id);
  else if (stopped.status === 'stopped' && !isAnchored(stopped)) await enqueueExpire(deps, stopped);
  return 'done';
}

async function lookAtRunning(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<'done' | 'again'> {
  const looked = await lookForActivity(deps, session, signal);
  if (looked.session.status === 'stopping') return finishStopping(deps, looked.session, signal);
  if (looked.session.status !== 'running' || looked.lookAt === undefined) return comeAgain(deps, looked.session);
  const now = deps.clock.now();
  const next = new Date(Math.min(looked.lookAt.getTime(), wakeTime({ ...looked.session, due_at: null }, now).getTime()));
  return tooEarly(await enqueueExpireAt(deps, session.id, next), next, now);
}

async function comeAgain(deps: Deps, session: SessionDocument): Promise<'done' | 'again'> {
  if (session.status === 'terminating' || session.status === 'terminated') return 'done';
  const now = deps.clock.now();
  return tooEarly(await enqueueExpire(deps, session), wakeTime(session, now), now);
}

/** Where the name was used already: by a task that is still to come, or by the one that is running now. */
function tooEarly(laid: 'enqueued' | 'duplicate', wake: Date, now: Date): 'done' | 'again' {
  if (laid === 'enqueued') return 'done';
  return wake.getTime() - now.getTime() > CLOCK_SKEW_MS ? 'done' : 'again';
}
