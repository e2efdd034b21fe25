/**
 * Stopping a session: its pod goes, its volumes and the values of its `env` stay, and it can be started again.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { backoffMs, pause } from '../kubernetes/retry.ts';
import { hasToRunBeforeStop, runBeforeStop } from './before-stop.ts';
import { changeSession, readSession } from './change.ts';
import { removePod, waitUntilGone } from './end.ts';
import type { LastChange, SessionDocument } from './model.ts';
import { SAFETY_NET_MS } from './patience.ts';
import { stopTaskName } from './task-names.ts';

/**
 * Answers the session as it is after `waitMs` at the latest: `stopped`, or `stopping` where its task finishes it. Throws `AppError`
 * `invalid_state` where there is nothing to stop, `not_found`.
 */
export async function stopSession(deps: Deps, id: string, by: LastChange, waitMs: number): Promise<SessionDocument> {
  const result = await changeSession(deps, id, { type: 'stop', cause: 'requested' }, by);
  if (result === undefined) throw new AppError('not_found', `There is no session "${id}".`);
  return result.session.status === 'stopping' ? stopInline(deps, result.session, waitMs) : result.session;
}

/** The task is laid first: what is not over in time, or where we die, is its to finish. */
export async function stopInline(deps: Deps, session: SessionDocument, waitMs: number): Promise<SessionDocument> {
  const graceMs = session.spec.grace_period_seconds * 1000;
  // Its command is cancelled by whoever stops listening to it: who may not have the time leaves it to the task, and looks on.
  const isTasks = waitMs === 0 || (hasToRunBeforeStop(session) && waitMs < graceMs + SAFETY_NET_MS);
  const netMs = isTasks ? 0 : Math.max(SAFETY_NET_MS, graceMs);
  const name = stopTaskName(session.id, session.generation);
  await deps.queue.enqueue({
    name,
    target: 'expire',
    payload: { session_id: session.id },
    scheduleTime: new Date(deps.clock.now().getTime() + netMs),
  });
  if (isTasks) return followStop(deps, session, waitMs);
  try {
    using deadline = startDeadline(waitMs);
    const stopped = await finishStop(deps, session, deadline.signal);
    if (stopped.status !== 'stopping') await deps.queue.withdraw(name);
    return stopped;
  } catch (error) {
    deps.log.log('warn', 'a stop is left to its task', {
      component: 'sessions',
      action: 'stop',
      session_id: session.id,
      error: translateKubernetesError(error),
    });
    return session;
  }
}

async function followStop(deps: Deps, stopping: SessionDocument, waitMs: number): Promise<SessionDocument> {
  const end = performance.now() + waitMs;
  let session = stopping;
  for (let looks = 0; session.status === 'stopping' && performance.now() < end; looks += 1) {
    await pause(Math.min(end - performance.now(), backoffMs(looks)));
    session = (await readSession(deps, session.id))?.data ?? session;
  }
  return session;
}

/**
 * Brings a session that is `stopping` to `stopped`, or to `creating` where it is to start again. Safe any number of times, several at
 * once. When the signal aborts first, it stays `stopping`. Throws what Kubernetes throws.
 */
export async function finishStop(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<SessionDocument> {
  const note = await runBeforeStop(deps, session, signal);
  // Its command may still be at it: whoever goes on joins it.
  if (signal.aborted) return session;
  // By its uid: the session may have been stopped and started again meanwhile, and that pod has to stay.
  const uid = session.pod_uid ?? undefined;
  if (await removePod(deps, session, uid)) {
    await waitUntilGone(await deps.kubernetes(), session, signal, uid);
    if (signal.aborted) return session;
  }
  deps.helpers.forget(uid ?? '');
  const event = { type: 'pod_gone', podUid: session.pod_uid, ...(note === undefined ? {} : { note }) } as const;
  return (await changeSession(deps, session.id, event))?.session ?? session;
}
