/**
 * A user's document, also where there is none yet.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { userKey } from '../sessions/collections.ts';
import { entitlementsOf } from './limits.ts';
import type { Entitlements, UserDocument } from './model.ts';

type UserDeps = Pick<Deps, 'clock' | 'config'>;

/** A user without a document has the default type and holds nothing. */
export function userOrDefault(stored: UserDocument | undefined, user: string, { clock, config }: UserDeps): UserDocument {
  return stored ?? { user, type: config.defaultUserType, limits: {}, holds: {}, created_at: clock.now().toISOString() };
}

export async function readUser(deps: UserDeps & Pick<Deps, 'store'>, user: string): Promise<UserDocument> {
  return userOrDefault((await deps.store.get<UserDocument>(userKey(user)))?.data, user, deps);
}

/** What applies to the user, after the configuration's and their own values. */
export function entitlementsFor({ config }: Pick<Deps, 'config'>, user: Pick<UserDocument, 'type' | 'limits'>): Entitlements {
  return entitlementsOf(user.type, user.limits, config.entitlements);
}

/** Throws `AppError` `user_deleted`: whoever was deleted gets nothing new, by whatever credentials. */
export function refuseDeleted(user: UserDocument): void {
  if (user.deleted_at === undefined) return;
  throw new AppError('user_deleted', `The user "${user.user}" was deleted at ${user.deleted_at} and gets nothing new.`);
}
