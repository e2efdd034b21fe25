/**
 * Deleting a user: first the document says so, then what the user holds ends. The document stays, and everything here may be done again.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { userKey } from '../sessions/collections.ts';
import { byCaller } from '../sessions/change.ts';
import { endUser, type EndedUser } from './end-user.ts';
import { heldBy, liveSessions, type Held } from './held.ts';
import type { UserDocument } from './model.ts';
import { userOrDefault } from './user.ts';

const MOST_LISTED = 20;

/**
 * Marks the user deleted, revokes their keys, takes back what was shared with them, and tells their sessions and volumes to end with the
 * data in them; tasks and the sweep see to it that they do. Deleting again finishes what a death left, as the sweep does. Throws `AppError`
 * `user_in_use` where the user has something and `force` is not set; `validation_failed` where callers would lock themselves out.
 */
export async function deleteUser(deps: Deps, caller: Caller, user: string, { force }: { readonly force: boolean }): Promise<EndedUser> {
  if (user === caller.user) {
    throw new AppError('validation_failed', 'The key of this request acts as this user: it would end with it.', {
      errors: [{ path: 'id', message: 'delete it with another key of kind admin' }],
    });
  }
  if (!force) refuseInUse(user, await heldBy(deps, user, liveSessions));
  await markDeleted(deps, user, force);
  const by = byCaller(caller, 'admin');
  return endUser(deps, user, by);
}

function refuseInUse(user: string, { sessions, volumes, snapshots }: Held): void {
  if (sessions.length + volumes.length + snapshots.length === 0) return;
  const ids = (things: readonly { readonly id: string }[]): string[] => things.slice(0, MOST_LISTED).map(({ id }) => id);
  const counts = `${sessions.length} session(s), ${volumes.length} volume(s) and ${snapshots.length} snapshot(s)`;
  const extensions = { sessions: ids(sessions), volumes: ids(volumes), snapshots: ids(snapshots) };
  throw new AppError('user_in_use', `The user "${user}" has ${counts}, whose data would be lost.`, { extensions });
}

async function markDeleted(deps: Deps, user: string, force: boolean): Promise<void> {
  const key = userKey(user);
  const now = deps.clock.now().toISOString();
  await deps.store.transact([key], ([stored]) => {
    const present = userOrDefault(stored?.data as UserDocument | undefined, user, deps);
    // Something was admitted since the first look.
    if (!force && Object.keys(present.holds).length > 0) {
      throw new AppError('user_in_use', `The user "${user}" has something whose data would be lost.`, {
        extensions: { holds: Object.keys(present.holds).slice(0, MOST_LISTED) },
      });
    }
    const next: UserDocument = { ...present, deleted_at: present.deleted_at ?? now, due_at: now };
    return { writes: [{ type: 'set', key, data: next }], result: undefined };
  });
}
