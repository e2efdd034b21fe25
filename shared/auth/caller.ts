/**
 * Who is calling, as the domains see it, and what they may do with what somebody owns.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import type { Access, Grants } from '../storage/model.ts';

/**
 * `user` acts as that one user; `service` is a back end that acts for the user named in the request; `admin` is a service that may
 * also administer.
 */
export const keyKinds = ['user', 'service', 'admin'] as const;
export type KeyKind = (typeof keyKinds)[number];

export interface Caller {
  /** Of an identity token: `tokenKeyId`. */
  readonly keyId: string;
  readonly kind: KeyKind;
  /** The user a `user` key acts as, and whom the other kinds act as where the request names nobody; `null` where there is none. */
  readonly user: string | null;
  readonly requestId: string;
}

const TOKEN = 'oidc:';

/** What stands for a key's id where the caller came with an identity token of this issuer. */
export function tokenKeyId(issuer: string): string {
  return `${TOKEN}${createHash('sha256').update(issuer).digest('hex').slice(0, 16)}`;
}

/** Whether the caller came with an identity token. */
export function hasToken({ keyId }: Pick<Caller, 'keyId'>): boolean {
  return keyId.startsWith(TOKEN);
}

/** Whether the caller acts for the owner: then everything is allowed that the owner may do. */
export function mayActFor(caller: Caller, owner: string): boolean {
  return caller.kind !== 'user' || caller.user === owner;
}

/** `owner` may also delete and share it; `write` changes and uses it; `read` looks. */
export type AccessLevel = 'owner' | Access;

/** Something that has an owner and may be shared. */
export interface Owned {
  readonly owner: string;
  readonly grants?: Grants | undefined;
  /** The namespace it lies in: a grant of that counts here, too, and its owner may use what others put there. */
  readonly within?: { readonly owner: string; readonly grants?: Grants | undefined } | undefined;
}

const rank: Readonly<Record<AccessLevel, number>> = { read: 1, write: 2, owner: 3 };

/** What a user may do with it; `undefined`: who asks may not know that it is there. */
export function accessOf(user: string, { owner, grants, within }: Owned): AccessLevel | undefined {
  if (user === owner) return 'owner';
  const asHost = within?.owner === user ? ('write' as const) : undefined;
  const levels = [grantTo(user, grants), asHost, grantTo(user, within?.grants)];
  return levels.find((level) => level === 'write') ?? levels.find((level) => level !== undefined);
}

/** The same for a caller: a back end acts for anybody. */
export function accessTo(caller: Caller, owned: Owned): AccessLevel | undefined {
  if (mayActFor(caller, owned.owner)) return 'owner';
  return caller.user === null ? undefined : accessOf(caller.user, owned);
}

/** A user may be called `constructor`: only what was granted counts. */
function grantTo(user: string, grants: Grants | undefined): Access | undefined {
  return grants !== undefined && Object.hasOwn(grants, user) ? grants[user] : undefined;
}

/**
 * Throws `AppError` `not_found` where the caller may not know of it, and `forbidden` where less was granted than is needed. `what` names
 * it to the caller, such as `session "…"`.
 */
export function assertAccess(access: AccessLevel | undefined, needed: AccessLevel, what: string): void {
  if (access === undefined) throw new AppError('not_found', `There is no ${what}.`);
  if (rank[access] >= rank[needed]) return;
  const shared = access === 'read' ? 'shared with you for reading only' : 'shared with you, not yours';
  throw new AppError('forbidden', `The ${what} is ${shared}: ${needed === 'owner' ? 'only its owner may do this' : 'this changes it'}.`);
}
