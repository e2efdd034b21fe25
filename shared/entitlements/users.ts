/**
 * Users as they are read and set up: type, limits of their own, what they may hold and what they do hold.
 *
 * @module
 */
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { collections, userKey } from '../sessions/collections.ts';
import { usageOf } from './admit.ts';
import type { Entitlements, Usage, UserDocument, UserType } from './model.ts';
import { entitlementsFor, userOrDefault } from './user.ts';

/** A user as callers see one. */
export interface UserView {
  readonly user: string;
  readonly type: UserType;
  /** Values of their own, in place of the type's. */
  readonly limits: Readonly<Partial<Entitlements>>;
  readonly entitlements: Entitlements;
  readonly usage: Usage;
  /** Null for a user of whom nothing is written yet: they have the default type. */
  readonly created_at: string | null;
  readonly deleted_at: string | null;
}

export interface UserRequest {
  readonly type: UserType;
  /** Those left out are the type's. */
  readonly limits: Readonly<Partial<Entitlements>>;
}

export interface UserFilters {
  readonly type?: UserType | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface UserPage {
  readonly users: readonly UserView[];
  readonly nextCursor: string | null;
}

export function viewOfUser(deps: Pick<Deps, 'config'>, user: UserDocument, isWritten: boolean): UserView {
  return {
    user: user.user,
    type: user.type,
    limits: user.limits,
    entitlements: entitlementsFor(deps, user),
    usage: usageOf(user.holds),
    created_at: isWritten ? user.created_at : null,
    deleted_at: user.deleted_at ?? null,
  };
}

/** Any name is a user: one that was never heard of has the default type. Throws `AppError` `not_found` to those who may not act for them. */
export async function getUser(deps: Deps, caller: Caller, user: string): Promise<UserView> {
  if (!mayActFor(caller, user)) throw new AppError('not_found', `There is no user "${user}".`);
  const stored = await deps.store.get<UserDocument>(userKey(user));
  return viewOfUser(deps, userOrDefault(stored?.data, user, deps), stored !== undefined);
}

/** Those of whom something is written, in no particular order, deleted ones too. For admins; whether the caller is one is the route's to ask. */
export async function listUsers(deps: Deps, filters: UserFilters): Promise<UserPage> {
  const page = await deps.store.query<UserDocument>(collections.users, {
    where: filters.type === undefined ? [] : [{ path: 'type', operator: '==', value: filters.type }],
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  return { users: page.documents.map(({ data }) => viewOfUser(deps, data, true)), nextCursor: page.nextCursor ?? null };
}

/**
 * Sets the user's type and limits; one who was deleted is a user again. Who now holds more than they may keeps it and gets nothing new
 * of it.
 */
export async function putUser(deps: Deps, user: string, { type, limits }: UserRequest): Promise<UserView> {
  const key = userKey(user);
  const written = await deps.store.transact([key], ([stored]) => {
    const { deleted_at: _deleted, due_at: _due, ...present } = userOrDefault(stored?.data as UserDocument | undefined, user, deps);
    const next: UserDocument = { ...present, type, limits };
    return { writes: [{ type: 'set', key, data: next }], result: next };
  });
  return viewOfUser(deps, written, true);
}
