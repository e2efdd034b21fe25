/**
 * Ending a session by its owner's will.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { changeSession } from './change.ts';
import { hasToRunBeforeStop } from './before-stop.ts';
import { finishTermination } from './end.ts';
import { enqueueExpireAt } from './expire-task.ts';
import type { LastChange, SessionDocument } from './model.ts';
import { expireTaskName } from './task-names.ts';

/** A pod whose processes end on TERM is gone by then; what takes longer is left to the task. */
const INLINE_MS = 5000;
const SAFETY_NET_MS = 15_000;

/**
 * Marks the session `terminating`, then takes away what it has, within a few seconds. What is left then (a slow pod, an API server
 * that is away, a command that runs before the end) is finished by the task that was laid first, or by the sweep: so it succeeds as soon
 * as the document says so. `preserveData`: whether volumes that were made for the session stay; absent: as it was asked for at create.
 */
export async function deleteSession(deps: Deps, id: string, by: LastChange, preserveData?: boolean): Promise<void> {
  const event = { type: 'delete', ...(preserveData === undefined ? {} : { preserveData }) } as const;
  const result = await changeSession(deps, id, event, by);
  if (result === undefined || result.session.status === 'terminated') return;
  const now = deps.clock.now();
  const isTasks = hasToRunBeforeStop(result.session);
  const wake = new Date(now.getTime() + (isTasks ? 0 : SAFETY_NET_MS));
  const name = expireTaskName(id, wake);
  await enqueueExpireAt(deps, id, wake);
  if (isTasks) return;
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
