/**
 * The changes of sessions from the journal of the embedded store, where no Firestore trigger tells them.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Deps } from '../deps.ts';
import type { Journal, JournalEntry } from '../documents/sqlite-journal.ts';
import type { SessionChange } from './model.ts';
import { toSessionState } from './session-state.ts';

const ATTEMPTS = 6;
const FIRST_WAIT_MS = 100;

/**
 * Tells of every change in the journal, one after the other, until the signal aborts; the one at hand then comes again the next time. A
 * change that cannot be handled is tried again for a few seconds, then logged and left out. Throws `StoreError` where the journal cannot
 * be read.
 */
export async function followSessions(
  deps: Pick<Deps, 'log'>,
  journal: Journal,
  handle: (change: SessionChange) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  for await (const entry of journal.entries(signal)) {
    const change = toChange(entry);
    if (change !== undefined && !(await persist(deps, handle, change, signal))) return;
  }
}

function toChange({ id, version, before, after }: JournalEntry): SessionChange | undefined {
  const [was, is] = [toSessionState(before), toSessionState(after)];
  return is && { id: `${id}@${version}`, after: is, ...(was === undefined ? {} : { before: was }) };
}

/** `false`: the signal has aborted, and the change is still to be handled. */
async function persist(
  deps: Pick<Deps, 'log'>,
  handle: (change: SessionChange) => Promise<unknown>,
  change: SessionChange,
  signal: AbortSignal,
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await handle(change);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (attempt === ATTEMPTS) {
        deps.log.log('error', 'a change of a session was not counted', {
          component: 'events',
          action: 'change_lost',
          session_id: change.after.id,
          error,
        });
        return true;
      }
      await delay(FIRST_WAIT_MS * 2 ** attempt, undefined, { signal }).catch(() => undefined);
    }
  }
}
