/**
 * Ending everything a deleted user has: once by who deletes them, and again by the sweep until nothing is left.
 *
 * @module
 */
import { revokeKeysOf } from '../auth/keys.ts';
import { withdrawAllOf } from '../auth/shared-with.ts';
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument } from '../documents/port.ts';
import { bySystem } from '../sessions/change.ts';
import type { LastChange } from '../sessions/model.ts';
import { deleteWebhooksOf } from '../webhooks/manage.ts';
import { endHeld, type Ended } from './end-held.ts';
import { heldBy, liveSessions } from './held.ts';
import type { UserDocument } from './model.ts';

export interface EndedUser extends Ended {
  /** Ids of the keys that were revoked. */
  readonly keys: readonly string[];
}

const LOOK_AGAIN_MS = 60_000;

/**
 * Of a user who is marked deleted: revokes their keys, deletes their webhooks, withdraws what was shared with them, and tells their sessions
 * and volumes to end. Who was let in before the mark is found here, because nobody is let in after it. May be done any number of times.
 * Throws what the store throws.
 */
export async function endUser(deps: Deps, user: string, by: LastChange): Promise<EndedUser> {
  const keys = await revokeKeysOf(deps, user);
  await withdrawAllOf(deps, user);
  await deleteWebhooksOf(deps, user);
  const held = await heldBy(deps, user, liveSessions);
  return { ...(await endHeld(deps, held, by)), keys };
}

/** The same for the sweep, which looks again until nothing is left. Answers whether something was. */
export async function finishUser(deps: Deps, stored: StoredDocument<UserDocument>): Promise<boolean> {
  const user = stored.data;
  if (user.deleted_at === undefined) return false;
  const { keys, sessions, volumes, snapshots } = await endUser(deps, user.user, bySystem);
  const isLeft = keys.length + sessions.length + volumes.length + snapshots.length > 0;
  await writeDueAt(deps, stored, isLeft ? new Date(deps.clock.now().getTime() + LOOK_AGAIN_MS).toISOString() : null);
  return isLeft;
}

async function writeDueAt(deps: Deps, stored: StoredDocument<UserDocument>, dueAt: string | null): Promise<void> {
  if (dueAt === (stored.data.due_at ?? null)) return;
  try {
    await deps.store.update(stored.key, { ...stored.data, due_at: dueAt }, stored.version);
  } catch (error) {
    // Something of it has just ended, or the user is one again: still due, so the next pass decides.
    if (!(error instanceof StoreError && error.code === 'conflict')) throw error;
  }
}
