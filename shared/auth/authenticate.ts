/**
 * From the headers of a request to who is calling.
 *
 * @module
 */
import type { Clock } from '../clock.ts';
import { AppError } from '../errors/app-error.ts';
import type { Caller } from './caller.ts';
import type { KeyCache } from './key-cache.ts';
import { parseKey, type KeyDocument } from './keys.ts';
import { equalInConstantTime } from './secret.ts';

export interface Credentials {
  /** The header `X-API-Key`. */
  readonly apiKey: string | undefined;
  /** The header `Authorization`. */
  readonly authorization: string | undefined;
  readonly requestId: string;
}

/**
 * Throws `AppError` `unauthenticated`. An unknown key and a wrong secret get the same answer: nobody learns which ids exist. Expiry and
 * revocation are told only to those who know the secret.
 */
export async function authenticate(keys: KeyCache, clock: Clock, credentials: Credentials): Promise<Caller> {
  const text = presentedKey(credentials);
  if (text === undefined) throw new AppError('unauthenticated', 'The request has no key.');
  const key = parseKey(text);
  const document = key === undefined ? undefined : await keys.find(key.id);
  // Compared also where there is no such key, so that the answer takes as long.
  const right = equalInConstantTime(key?.secret.digest() ?? '', document?.secret_hash ?? 'none');
  if (document === undefined || !right) throw new AppError('unauthenticated', 'The key is not valid.');
  assertAlive(document, clock.now());
  return { keyId: document.id, kind: document.kind, user: document.user, requestId: credentials.requestId };
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
