/**
 * Starting a session that has stopped or failed, and restarting one that runs.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { backoffMs, pause } from '../kubernetes/retry.ts';
import { asAppError } from './as-app-error.ts';
import { readSession, type ChangeResult } from './change.ts';
import type { StartEvent } from './lifecycle.ts';
import type { LastChange, SessionDocument } from './model.ts';
import { creatingGraceMs } from './patience.ts';
import { provision } from './provision.ts';
import { changeToStart } from './readmit.ts';
import { startInline } from './start-inline.ts';
import { stopInline } from './stop.ts';

/**
 * Starts a session that is stopped or has failed; one that runs or is on its way is fine as it is. Answers it as it is after `waitMs` at
 * the latest. Throws `AppError`: `not_found`, `invalid_state`, `quota_exceeded`, `namespace_taken`, `user_deleted`;
 * `cluster_unavailable`, after which its task goes on.
 */
export async function startSession(deps: Deps, id: string, by: LastChange, waitMs: number): Promise<SessionDocument> {
  return askToRun(deps, id, { type: 'start' }, { by, waitMs });
}

/** The same for one that runs, with a new pod. Volumes stay as they are; what was only in the pod is lost. */
export async function restartSession(deps: Deps, id: string, by: LastChange, waitMs: number): Promise<SessionDocument> {
  return askToRun(deps, id, { type: 'restart' }, { by, waitMs });
}

interface AskOptions {
  readonly by: LastChange;
  readonly waitMs: number;
}

async function askToRun(deps: Deps, id: string, event: StartEvent, { by, waitMs }: AskOptions): Promise<SessionDocument> {
  const result = await changeToStart(deps, id, event, { by });
  if (result === undefined) throw new AppError('not_found', `There is no session "${id}".`);
  return bringUp(deps, result, waitMs);
}

/**
 * Sees a session through that is to run: through its stop first, where it starts again after that. One that somebody else is starting is
 * left to them, as long as they may be at it. `env`: values that are not in their Secret yet.
 */
export async function bringUp(
  deps: Deps,
  { session, changed }: ChangeResult,
  waitMs: number,
  env?: Readonly<Record<string, string>>,
): Promise<SessionDocument> {
  const end = performance.now() + waitMs;
  const left = (): number => Math.max(0, Math.round(end - performance.now()));
  try {
    if (session.status === 'stopping') return await startInline(deps, await stopInline(deps, session, waitMs), undefined, left());
    return changed ? await startInline(deps, session, env, left()) : await followStart(deps, session, left());
  } catch (error) {
    throw asAppError(error);
  }
}

const LONGEST_LOOK_MS = 1000;

/** Only who asked first has the values of `env`: whoever does its work too early finds none, and the session fails. */
async function followStart(deps: Deps, started: SessionDocument, waitMs: number): Promise<SessionDocument> {
  using deadline = startDeadline(waitMs);
  const { signal } = deadline;
  const othersUntil = Date.parse(started.updated_at) + creatingGraceMs(started.spec);
  let session = started;
  for (let looks = 0; session.status === 'creating' && !signal.aborted; looks += 1) {
    if (deps.clock.now().getTime() >= othersUntil) return (await provision(deps, session.id, { signal })) ?? session;
    await pause(Math.min(LONGEST_LOOK_MS, backoffMs(looks)), signal).catch(() => {});
    session = (await readSession(deps, session.id))?.data ?? session;
  }
  return session;
}
