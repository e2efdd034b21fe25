/**
 * The `provision` task: the safety net of every start. It reads the document again and does what is left, if anything.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { readSession } from './change.ts';
import type { SessionDocument } from './model.ts';
import { provision } from './provision.ts';
import { provisionTaskName, SWEEP_TASK_SECONDS } from './task-names.ts';

const TASK_MS = 9 * 60_000;

export async function enqueueProvision(deps: Deps, session: SessionDocument, scheduleTime: Date, attempt = 0): Promise<void> {
  await deps.queue.enqueue({
    name: provisionTaskName(session.id, session.generation, attempt),
    target: 'provision',
    payload: { session_id: session.id },
    scheduleTime,
  });
}

/**
 * The `provision` task. It waits at most nine minutes, as a task's request may last ten, and then lays the next. With `withinSeconds` it is
 * the sweep's, and that lays the next.
 */
export async function provisionSession(deps: Deps, id: string, signal?: AbortSignal, withinSeconds?: number): Promise<void> {
  using deadline = startDeadline(withinSeconds === undefined ? TASK_MS : withinSeconds * 1000, signal);
  const session = await provision(deps, id, { signal: deadline.signal });
  if (session?.status !== 'creating' || withinSeconds !== undefined) return;
  signal?.throwIfAborted();
  const now = deps.clock.now();
  await enqueueProvision(deps, session, now, Math.floor(now.getTime() / 1000));
}

/** Used by the sweep: as `ensureExpireTask`, for a start that its own task should have finished. */
export async function ensureSweptProvision(deps: Deps, { id, generation }: SessionDocument): Promise<void> {
  const minute = Math.floor(deps.clock.now().getTime() / 60_000) * 60;
  const payload = { session_id: id, within_seconds: SWEEP_TASK_SECONDS };
  await deps.queue.enqueue({ name: `${provisionTaskName(id, generation, minute)}-sweep`, target: 'provision', payload });
}

/** Lays the task for now, once a minute at most: it is later than need be. */
export async function ensureProvisionTask(deps: Deps, id: string): Promise<void> {
  const stored = await readSession(deps, id);
  if (stored?.data.status !== 'creating') return;
  const now = deps.clock.now();
  await enqueueProvision(deps, stored.data, now, Math.floor(now.getTime() / 60_000) * 60);
}
