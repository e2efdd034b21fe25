/**
 * Puts right what users are said to hold where that is not what they have. The holds are written together with what they are for, so
 * this finds something only after somebody has changed the store by hand, or restored an old copy.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { repairUsage } from '../entitlements/repair.ts';
import { collections } from '../sessions/collections.ts';
import { forEach, type Tally } from './tally.ts';

const PAGE = 100;
/** Each user costs a look at all that they have: some of them each time, all of them in turn. */
const MOST_PAGES = 5;

/** Where the next call goes on; null: at the beginning. In a dry run nothing is looked at. */
export async function repairUsers(deps: Deps, tally: Tally, after: string | null): Promise<string | null> {
  if (tally.dryRun) return after;
  let cursor = after;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { documents, nextCursor } = await readUsers(deps, cursor);
    await forEach(documents, async (stored) => {
      const fields = { user_id: stored.data.user };
      try {
        if (await repairUsage(deps, stored)) await tally.run('repair_usage', fields, () => Promise.resolve());
      } catch (error) {
        tally.fail('repair_usage', fields, error);
      }
    });
    cursor = nextCursor ?? null;
    if (cursor === null) return null;
  }
  return cursor;
}

async function readUsers(deps: Deps, cursor: string | null) {
  const first = { limit: PAGE };
  try {
    return await deps.store.query<UserDocument>(collections.users, cursor === null ? first : { ...first, cursor });
  } catch (error) {
    // Written by another version: its cursors are another's.
    if (cursor === null || !(error instanceof StoreError) || error.code !== 'invalid_cursor') throw error;
    return deps.store.query<UserDocument>(collections.users, first);
  }
}
