/**
 * Users put right from what exists: the sweep calls this for one user after another.
 *
 * @module
 */
import { dropStaleGrants } from '../auth/shared-with.ts';
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument } from '../documents/port.ts';
import { finishUser } from './end-user.ts';
import { countingSessions, heldBy } from './held.ts';
import type { UserDocument } from './model.ts';
import { repairHolds } from './repair-holds.ts';

/**
 * Puts the user's holds right, forgets grants that count no more, and ends what a user has who was deleted. Answers whether anything was
 * wrong.
 *
 * `stored` has to be read before this is called. Whoever gets or releases something writes the user's document in the same transaction, so
 * if the document still has that version when it is written here, what was counted in between is what there was.
 */
export async function repairUsage(deps: Deps, stored: StoredDocument<UserDocument>): Promise<boolean> {
  const user = stored.data;
  const held = await heldBy(deps, user.user, countingSessions);
  const holds = repairHolds(user, held);
  const repaired = holds !== undefined && (await write(deps, stored, { ...user, holds }));
  if (repaired) {
    deps.log.log('warn', 'what a user holds was not what there is', {
      component: 'entitlements',
      action: 'usage_repaired',
      user_id: user.user,
      before: Object.keys(user.holds).length,
      after: Object.keys(holds).length,
    });
  }
  const dropped = await dropStaleGrants(deps, user.user);
  const isLeft = await finishUser(deps, stored);
  return repaired || dropped > 0 || isLeft;
}

/** `false`: the user got or released something meanwhile, so the next pass decides. */
async function write(deps: Deps, stored: StoredDocument<UserDocument>, next: UserDocument): Promise<boolean> {
  try {
    await deps.store.update(stored.key, next, stored.version);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'conflict') return false;
    throw error;
  }
}
