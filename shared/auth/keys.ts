/**
 * API keys: `berth_<key id>_<secret>`. The store holds the secret's digest alone, so a key is shown once and a copy of the store lets
 * nobody in.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { StoreError, type Condition, type DocumentKey, type DocumentStore } from '../documents/port.ts';
import type { NewId } from '../ids.ts';
import type { KeyKind } from './caller.ts';
import { collections, userKey } from '../sessions/collections.ts';
import { Secret } from './secret.ts';

/** `keys/{id}`. Times are RFC 3339 UTC. */
export interface KeyDocument {
  readonly id: string;
  readonly kind: KeyKind;
  /** Whom it acts as; `null` only for `service` and `admin` keys, whose requests name the user. */
  readonly user: string | null;
  readonly name: string | null;
  /** SHA-256 of the secret, in hex. */
  readonly secret_hash: string;
  readonly created_at: string;
  /** `null`: until it is revoked. */
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  /** When the document itself goes; `null` while the key may still be used. */
  readonly purge_at: string | null;
}

const SECRET_BYTES = 32;
/** How long a dead key can still be looked up, by those who wonder who did something with it. */
const KEPT_DAYS = 30;
const DAY_MS = 86_400_000;
const KEYS_PAGE = 100;

// 256 bits are 43 characters of base64url; `_` may be one of them, the id has none.
const FORM = /^berth_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/;

export function keyDocumentKey(id: string): DocumentKey {
  return { collection: collections.keys, id };
}

export interface ParsedKey {
  readonly id: string;
  readonly secret: Secret;
}

/** `undefined` where the text is no key of ours. */
export function parseKey(text: string): ParsedKey | undefined {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret: new Secret(secret) };
}

export interface NewKey {
  readonly kind: KeyKind;
  readonly user: string | null;
  readonly name: string | null;
  readonly expiresAt: Date | null;
}

interface KeyDeps {
  readonly store: DocumentStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

/**
 * Makes a key and writes its document. The key cannot be had a second time. Throws `AppError` `user_deleted`: decided in one transaction
 * with the write, so that who deletes the user either finds the key or has it refused.
 */
export async function createKey(deps: KeyDeps, request: NewKey): Promise<{ readonly document: KeyDocument; readonly key: Secret }> {
  const id = deps.newId();
  const secret = new Secret(randomBytes(SECRET_BYTES).toString('base64url'));
  const document: KeyDocument = {
    id,
    kind: request.kind,
    user: request.user,
    name: request.name,
    secret_hash: secret.digest(),
    created_at: deps.clock.now().toISOString(),
    expires_at: request.expiresAt?.toISOString() ?? null,
    revoked_at: null,
    purge_at: request.expiresAt === null ? null : purgeAfter(request.expiresAt),
  };
  await writeKey(deps.store, document);
  return { document, key: new Secret(`berth_${id}_${secret.reveal()}`) };
}

async function writeKey(store: DocumentStore, document: KeyDocument): Promise<void> {
  const [key, { user }] = [keyDocumentKey(document.id), document];
  await store.transact(user === null ? [key] : [key, userKey(user)], ([, holder]) => {
    if (user !== null && (holder?.data as UserDocument | undefined)?.deleted_at !== undefined) throw userDeleted(user);
    return { writes: [{ type: 'create', key, data: document }], result: undefined };
  });
}

/** Whoever was deleted has no credentials: not keys, not identity tokens. */
export function userDeleted(user: string): AppError {
  return new AppError('user_deleted', `The user "${user}" was deleted.`);
}

export async function findKey(store: DocumentStore, id: string): Promise<KeyDocument | undefined> {
  return (await store.get<KeyDocument>(keyDocumentKey(id)))?.data;
}

export interface KeyFilters {
  readonly user?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** A page of keys in no particular order, dead ones too until they are purged. */
export async function listKeys(
  store: DocumentStore,
  filters: KeyFilters,
): Promise<{ readonly keys: readonly KeyDocument[]; readonly nextCursor: string | null }> {
  const where: Condition[] = filters.user === undefined ? [] : [{ path: 'user', operator: '==', value: filters.user }];
  const page = await store.query<KeyDocument>(collections.keys, {
    where,
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  return { keys: page.documents.map((document) => document.data), nextCursor: page.nextCursor ?? null };
}

/** Ends the key. Ending a key that is unknown or ended already is fine; `false` says that there is none of that id. */
export async function revokeKey(deps: Pick<KeyDeps, 'store' | 'clock'>, id: string): Promise<boolean> {
  const stored = await deps.store.get<KeyDocument>(keyDocumentKey(id));
  if (stored === undefined) return false;
  if (stored.data.revoked_at !== null) return true;
  const now = deps.clock.now();
  const revoked: KeyDocument = { ...stored.data, revoked_at: now.toISOString(), purge_at: purgeAfter(now) };
  try {
    await deps.store.update(stored.key, revoked, stored.version);
    return true;
  } catch (error) {
    // The only other change of a key is its revocation by somebody else, or its purge: the second look finds that done.
    if (error instanceof StoreError && error.code === 'conflict') return revokeKey(deps, id);
    throw error;
  }
}

/** Ends every key that acts as the user, whatever its kind. Answers the ids of those that were still alive. */
export async function revokeKeysOf(deps: Pick<KeyDeps, 'store' | 'clock'>, user: string): Promise<readonly string[]> {
  const revoked: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await listKeys(deps.store, { user, limit: KEYS_PAGE, ...(cursor === null ? {} : { cursor }) });
    const alive = page.keys.filter((key) => key.revoked_at === null);
    for (const { id } of alive) await revokeKey(deps, id);
    revoked.push(...alive.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return revoked;
}

function purgeAfter(end: Date): string {
  return new Date(end.getTime() + KEPT_DAYS * DAY_MS).toISOString();
}
