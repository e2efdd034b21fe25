/**
 * Granting and withdrawing: the grant in the shared thing and its counterpart for the user who got it are one transaction.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { DocumentKey, StoredDocument, Write } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { entitlementsFor, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { namespaceKey, userKey } from '../sessions/collections.ts';
import { withDue } from '../sessions/due.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { Access, Grants, VolumeDocument } from '../storage/model.ts';
import { accessTo, assertAccess, type AccessLevel, type Caller } from './caller.ts';
import { grantKey, sharedKey, withGrant, withoutGrant, type GrantDocument, type SharedKind } from './grants.ts';

export interface Grant {
  readonly user: string;
  readonly access: Access;
}

type SharedDocument = SessionDocument | VolumeDocument | NamespaceDocument;

function ownerIn(document: SharedDocument): string {
  return 'owner' in document ? document.owner : document.user;
}

/** Why nobody can be let in any more; `undefined` while it lives. */
function endOf(document: SharedDocument): string | undefined {
  if (!('status' in document)) return undefined;
  const ending = document.status === 'terminating' || document.status === 'terminated';
  return ending || document.status === 'deleting' || document.status === 'deleted' ? document.status : undefined;
}

interface Found {
  readonly document: SharedDocument;
  readonly access: AccessLevel | undefined;
}

/** Throws `AppError` `not_found`, `forbidden`. */
async function find(deps: Deps, caller: Caller, kind: SharedKind, id: string, needed: AccessLevel): Promise<Found> {
  const stored = await deps.store.get<SharedDocument>(sharedKey(kind, id));
  const access = stored === undefined ? undefined : await accessIn(deps, caller, stored.data);
  assertAccess(access, needed, `${kind} "${id}"`);
  if (stored === undefined) throw new AppError('not_found', `There is no ${kind} "${id}".`);
  return { document: stored.data, access };
}

async function accessIn(deps: Deps, caller: Caller, document: SharedDocument): Promise<AccessLevel | undefined> {
  const owned = { owner: ownerIn(document), grants: document.grants };
  if ('owner' in document || accessTo(caller, owned) === 'owner') return accessTo(caller, owned);
  const namespace = await deps.store.get<NamespaceDocument>(namespaceKey(document.namespace));
  return accessTo(caller, { ...owned, within: hostOf(namespace?.data, document.id) });
}

/** By user. The owner sees all of them, anybody else their own alone. Throws `AppError` `not_found`. */
export async function listGrants(deps: Deps, caller: Caller, kind: SharedKind, id: string): Promise<readonly Grant[]> {
  const { document, access } = await find(deps, caller, kind, id, 'read');
  return Object.entries(document.grants ?? {})
    .filter(([user]) => access === 'owner' || user === caller.user)
    .map(([user, granted]) => ({ user, access: granted }))
    .toSorted((left, right) => (left.user < right.user ? -1 : 1));
}

/**
 * Shares it with the user, or changes what they may do. Answers the grant and whose thing it is in. Throws `AppError`: `not_found`, `forbidden`; `not_entitled` where its owner may
 * not share; `invalid_state` where it ends; `validation_failed`, `too_many_grants`.
 */
export async function putGrant(
  deps: Deps,
  caller: Caller,
  kind: SharedKind,
  id: string,
  { user, access }: Grant,
): Promise<Grant & { readonly owner: string }> {
  const { document } = await find(deps, caller, kind, id, 'owner');
  const owner = ownerIn(document);
  // Refused here already where user and owner are one: a transaction reads each document once.
  withGrant(document.grants ?? {}, owner, user, access);
  const now = deps.clock.now().toISOString();
  const key = sharedKey(kind, id);
  const counterpart: GrantDocument = { kind, id, user, owner, access, created_at: now };
  const keys = [key, userKey(owner), userKey(user), grantKey(kind, id, user)];
  await deps.store.transact(keys, ([thing, ownersUser, grantee]) => {
    const present = presentIn(thing, owner, kind, id);
    refuseUnentitled(deps, userOrDefault(ownersUser?.data as UserDocument | undefined, owner, deps));
    if ((grantee?.data as UserDocument | undefined)?.deleted_at !== undefined) throw notWith();
    const grants = withGrant(present.grants ?? {}, owner, user, access);
    const writes: Write[] = [
      { type: 'set', key, data: sharedWith(present, grants, caller, now) },
      { type: 'set', key: grantKey(kind, id, user), data: counterpart },
    ];
    return { writes, result: undefined };
  });
  return { user, access, owner };
}

/**
 * Withdraws it; what was not granted is withdrawn already. Open to owners who may not share any more, and to users who want to be let in
 * no longer. Answers whose thing it is. Throws `AppError` `not_found`, `forbidden`.
 */
export async function deleteGrant(deps: Deps, caller: Caller, kind: SharedKind, id: string, user: string): Promise<string> {
  const { document } = await find(deps, caller, kind, id, user === caller.user ? 'read' : 'owner');
  await withdraw(deps, caller, kind, id, user);
  return ownerIn(document);
}

/** Both sides of the grant, whichever is still there. */
export async function withdraw(deps: Deps, caller: Caller | undefined, kind: SharedKind, id: string, user: string): Promise<void> {
  const [key, counterpart]: readonly [DocumentKey, DocumentKey] = [sharedKey(kind, id), grantKey(kind, id, user)];
  const now = deps.clock.now().toISOString();
  await deps.store.transact([key, counterpart], ([thing]) => {
    const writes: Write[] = [{ type: 'delete', key: counterpart }];
    const present = thing?.data as SharedDocument | undefined;
    if (present?.grants !== undefined && Object.hasOwn(present.grants, user)) {
      writes.push({ type: 'set', key, data: sharedWith(present, withoutGrant(present.grants, user), caller, now) });
    }
    return { writes, result: undefined };
  });
}

/** What the transaction found, if it still is what the caller was let to. */
function presentIn(thing: StoredDocument<object> | undefined, owner: string, kind: SharedKind, id: string): SharedDocument {
  const present = thing?.data as SharedDocument | undefined;
  if (present === undefined) throw new AppError('not_found', `There is no ${kind} "${id}".`);
  if (ownerIn(present) !== owner) throw new AppError('conflict', `The ${kind} "${id}" has another owner now.`);
  const end = endOf(present);
  if (end !== undefined) throw new AppError('invalid_state', `The ${kind} is ${end}; nobody can be let in any more.`);
  return present;
}

function refuseUnentitled(deps: Deps, owner: UserDocument): void {
  if (entitlementsFor(deps, owner).share) return;
  throw new AppError('not_entitled', `Sharing needs the right "share", which the user "${owner.user}" (${owner.type}) does not have.`, {
    extensions: { entitlement: 'share' },
  });
}

/** Who was deleted is nothing that other users have to know. */
function notWith(): AppError {
  const errors = [{ path: 'user', message: 'nothing can be shared with this user' }];
  return new AppError('validation_failed', 'It cannot be shared with this user.', { errors });
}

/** The document with other grants, and what every write of its kind has to keep up. `caller` is absent where Berth itself withdraws. */
function sharedWith(document: SharedDocument, grants: Grants, caller: Caller | undefined, now: string): SharedDocument {
  if ('owner' in document) return { ...document, grants };
  // Whoever looks at a bucket that is due shuts out the namespaces of users who may not have it any more.
  if ('size_gb' in document) return { ...document, grants, updated_at: now, ...(document.readers !== undefined && { due_at: now }) };
  const by = { by: caller?.user ?? 'system', key_id: caller?.keyId ?? null, request_id: caller?.requestId ?? null };
  return withDue({ ...document, grants, updated_at: now, last_change: by });
}
