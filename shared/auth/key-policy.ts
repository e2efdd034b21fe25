/**
 * Who may make, see and revoke which keys. Pure.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';
import { hasToken, type Caller, type KeyKind } from './caller.ts';
import type { KeyDocument, NewKey } from './keys.ts';
import { SYSTEM } from './reserved.ts';

export interface KeyRequest {
  readonly kind?: KeyKind | undefined;
  readonly user?: string | undefined;
  readonly name?: string | undefined;
  readonly expires_at?: string | undefined;
  readonly ttl_minutes?: number | undefined;
}

const DAY_MS = 86_400_000;
/** Documents are kept for a while beyond the expiry, and times have four digits for the year. */
const LAST_EXPIRY = new Date('9998-12-31T23:59:59.999Z');

/**
 * When the keys that a caller makes expire at the latest; null: never. No user's key outlives the one it was made with, so that a key
 * that was lent for an hour is not one for ever; one that was made with an identity token lasts `tokenKeyDays` at most, because nobody
 * would revoke it when the issuer gives that person no tokens any more.
 */
export function latestExpiry(caller: Caller, own: KeyDocument | undefined, tokenKeyDays: number, now: Date): Date | null {
  if (caller.kind !== 'user') return null;
  if (hasToken(caller)) return new Date(now.getTime() + tokenKeyDays * DAY_MS);
  return own?.expires_at ? new Date(own.expires_at) : null;
}

/**
 * An admin makes any key. A user makes keys for the same user alone, which expire at `latest` at the latest. A service makes none: what it
 * may do ends with its own key. Throws `AppError`.
 */
export function decideNewKey(caller: Caller, latest: Date | null, request: KeyRequest, now: Date): NewKey {
  const kind = request.kind ?? 'user';
  const user = request.user ?? (caller.kind === 'user' || kind === 'user' ? caller.user : null);
  assertMayMake(caller, kind, user);
  if (kind === 'user' && user === null) throw invalid('user', 'must be given for a key of kind user');
  if (kind === 'user' && user === SYSTEM) throw invalid('user', `"${SYSTEM}" is Berth itself, and nobody’s name`);
  const expiresAt = requestedExpiry(request, now) ?? latest;
  if (expiresAt !== null && expiresAt <= now) throw invalid('expires_at', 'must be in the future');
  if (expiresAt !== null && expiresAt > LAST_EXPIRY) throw invalid('expires_at', `must not be after ${LAST_EXPIRY.toISOString()}`);
  if (latest !== null && expiresAt !== null && expiresAt > latest) {
    throw invalid('expires_at', `must not be after ${latest.toISOString()}, the last that this request’s key or token allows`);
  }
  return { kind, user, name: request.name ?? null, expiresAt };
}

/** Whether the caller may see and revoke it. To anybody else it does not exist. */
export function mayManageKey(caller: Caller, key: KeyDocument): boolean {
  return caller.kind === 'admin' || (caller.kind === 'user' && key.kind === 'user' && key.user === caller.user);
}

function assertMayMake(caller: Caller, kind: KeyKind, user: string | null): void {
  if (caller.kind === 'admin') return;
  if (caller.kind === 'service') throw new AppError('forbidden', 'A key of kind service makes no keys; one of kind admin or user does.');
  if (kind !== 'user') throw new AppError('forbidden', `Only a key of kind admin makes keys of kind ${kind}.`);
  if (user !== caller.user) throw new AppError('forbidden', 'A key of kind user makes keys for its own user only.');
}

const MINUTE_MS = 60_000;

function requestedExpiry({ expires_at, ttl_minutes }: KeyRequest, now: Date): Date | null {
  if (expires_at !== undefined && ttl_minutes !== undefined) throw invalid('ttl_minutes', 'give either expires_at or ttl_minutes');
  if (ttl_minutes !== undefined) return new Date(now.getTime() + ttl_minutes * MINUTE_MS);
  return expires_at === undefined ? null : new Date(expires_at);
}

function invalid(path: string, message: string): AppError {
  return new AppError('validation_failed', `The body is not valid: ${path}: ${message}.`, { errors: [{ path, message }] });
}
