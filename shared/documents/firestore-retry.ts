/**
 * The one loop around every write to Firestore. An error alone does not tell whether a write took place: an answer can get lost, and the
 * library repeats lost calls by itself, so that a write may meet its own precondition. After every such error the loop looks first.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { classify, toStoreError } from './firestore-errors.ts';
import { StoreError } from './port.ts';

const FIRST_BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 1_000;

export interface Attempts<R> {
  /** Tries once. What is thrown here, other than by `commit`, ends the loop. */
  readonly attempt: (commit: <C>(call: Promise<C>) => Promise<C>) => Promise<R>;
  /** After a failed commit: reads again; `done` where the outcome is known. Throws where it is known to be a refusal. */
  readonly look: () => Promise<{ readonly done: R } | undefined>;
}

class FailedCommit extends Error {}

/** Tries until it is done, with jitter, for `boundMs`. Throws `StoreError` `contended` or `unavailable` after that. */
export async function persist<R>({ attempt, look }: Attempts<R>, boundMs: number): Promise<R> {
  const end = Date.now() + boundMs;
  for (let round = 0; ; round += 1) {
    try {
      return await attempt(marked);
    } catch (failed) {
      if (!(failed instanceof FailedCommit)) throw failed;
      const failure = classify(failed.cause);
      if (failure === 'final') throw toStoreError(failed.cause);
      await delay(Math.random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** round));
      const found = await look();
      if (found !== undefined) return found.done;
      if (Date.now() < end) continue;
      if (failure === 'conflict') throw new StoreError('contended', 'Others kept changing the same documents', { cause: failed.cause });
      throw toStoreError(failed.cause);
    }
  }
}

/** Marks the errors of a commit, so that they are not taken for errors of the callback. */
async function marked<C>(call: Promise<C>): Promise<C> {
  try {
    return await call;
  } catch (error) {
    throw new FailedCommit('The commit failed', { cause: error });
  }
}
