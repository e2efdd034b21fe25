/**
 * Who may make, see and revoke which keys. Pure.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';
import type { Caller, KeyKind } from './caller.ts';
import type { KeyDocument, NewKey } from './keys.ts';

export interface KeyRequest {
  readonly kind?: KeyKind | undefined;
  readonly user?: string | undefined;
  readonly name?: string | undefined;
  readonly expires_at?: string | undefined;
  readonly ttl_minutes?: number | undefined;
}

/**
 * An admin makes any key. A user makes keys for the same user alone, none of which outlives the key it was made with, so that a key that
 * was lent for an hour is not one for ever. A service makes none: what it may do ends with its own key. Throws `AppError`.
 */
export function decideNewKey(caller: Caller, callersExpiry: Date | null, request: KeyRequest, now: Date): NewKey {
  const kind = request.kind ?? 'user';
  const user = request.user ?? (caller.kind === 'user' || kind === 'user' ? caller.user : null);
  assertMayMake(caller, kind, user);
  if (kind === 'user' && user === null) throw invalid('user', 'must be given for a key of kind user');
  const expiresAt = requestedExpiry(request, now) ?? callersExpiry;
  if (expiresAt !== null && expiresAt <= now) throw invalid('expires_at', 'must be in the future');
  if (callersExpiry !== null && expiresAt !== null && expiresAt > callersExpiry) {
    throw invalid('expires_at', `must not be after ${callersExpiry.toISOString()}, when the key of this request expires`);
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
