/**
 * From the headers of a request to who is calling: by a key of ours, or by an identity token of a configured issuer.
 *
 * @module
 */
import type { Clock } from '../clock.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { tokenKeyId, type Caller } from './caller.ts';
import { looksLikeToken, type IdentityVerifier } from './identity.ts';
import type { KeyCache } from './key-cache.ts';
import { parseKey, userDeleted, type KeyDocument } from './keys.ts';
import type { Recent } from './recent.ts';
import { equalInConstantTime } from './secret.ts';

export interface Credentials {
  /** The header `X-API-Key`. */
  readonly apiKey: string | undefined;
  /** The header `Authorization`. */
  readonly authorization: string | undefined;
  readonly requestId: string;
}

export interface Authenticator {
  readonly keys: KeyCache;
  readonly clock: Clock;
  /** Absent where no issuer is configured: then keys alone are credentials. */
  readonly identity: IdentityVerifier | undefined;
  /** Users by their names: tokens cannot be revoked, and a key must not outlive its user either. */
  readonly users: Recent<UserDocument | undefined>;
}

/**
 * Throws `AppError` `unauthenticated`. An unknown key and a wrong secret get the same answer: nobody learns which ids exist. Expiry and
 * revocation are told only to those who know the secret, as is `user_deleted`. Of a token: `identity_unavailable`.
 */
export async function authenticate(authenticator: Authenticator, credentials: Credentials): Promise<Caller> {
  const text = presentedKey(credentials);
  if (text === undefined) throw new AppError('unauthenticated', 'The request has no key.');
  const { identity } = authenticator;
  if (identity !== undefined && looksLikeToken(text)) return byToken(authenticator.users, identity, text, credentials.requestId);
  return byKey(authenticator, text, credentials.requestId);
}

async function byKey({ keys, clock, users }: Authenticator, text: string, requestId: string): Promise<Caller> {
  const key = parseKey(text);
  const document = key === undefined ? undefined : await keys.find(key.id);
  // Compared also where there is no such key, so that the answer takes as long.
  const right = equalInConstantTime(key?.secret.digest() ?? '', document?.secret_hash ?? 'none');
  if (document === undefined || !right) throw new AppError('unauthenticated', 'The key is not valid.');
  assertAlive(document, clock.now());
  if (document.user !== null) await refuseDeleted(users, document.user);
  return { keyId: document.id, kind: document.kind, user: document.user, requestId };
}

async function byToken(users: Authenticator['users'], verifier: IdentityVerifier, token: string, requestId: string): Promise<Caller> {
  const { user, issuer } = await verifier.verify(token);
  await refuseDeleted(users, user);
  return { keyId: tokenKeyId(issuer), kind: 'user', user, requestId };
}

async function refuseDeleted(users: Authenticator['users'], user: string): Promise<void> {
  if ((await users.find(user))?.deleted_at !== undefined) throw userDeleted(user);
}

function presentedKey({ apiKey, authorization }: Credentials): string | undefined {
  if (apiKey !== undefined && apiKey !== '') return apiKey.trim();
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}

function assertAlive(document: KeyDocument, now: Date): void {
  if (document.revoked_at !== null) throw new AppError('unauthenticated', 'The key was revoked.');
  if (document.expires_at !== null && document.expires_at <= now.toISOString()) {
    throw new AppError('unauthenticated', `The key expired at ${document.expires_at}.`);
  }
}
