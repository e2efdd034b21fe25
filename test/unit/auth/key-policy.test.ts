import { describe, expect, it } from 'vitest';
import { tokenKeyId, type Caller } from '../../../shared/auth/caller.ts';
import { decideNewKey, latestExpiry, type KeyRequest } from '../../../shared/auth/key-policy.ts';
import type { KeyDocument } from '../../../shared/auth/keys.ts';
import { AppError } from '../../../shared/errors/app-error.ts';
import { testNow } from '../../fakes/session-document.ts';

const admin: Caller = { keyId: 'k1', kind: 'admin', user: 'root', requestId: 'r' };
const alice: Caller = { keyId: 'k2', kind: 'user', user: 'alice', requestId: 'r' };
const withToken: Caller = { ...alice, keyId: tokenKeyId('https://issuer.example') };
const own = { expires_at: '2026-03-02T00:00:00.000Z' } as KeyDocument;

function faultIn(caller: Caller, latest: Date | null, request: KeyRequest): string | undefined {
  try {
    decideNewKey(caller, latest, request, testNow);
    return undefined;
  } catch (error) {
    return error instanceof AppError ? (error.errors?.[0]?.path ?? error.code) : String(error);
  }
}

describe('the latest expiry of a key', () => {
  it('is that of the key it is made with, some days with an identity token, and none for admins', () => {
    expect(latestExpiry(alice, own, 30, testNow)).toEqual(new Date(own.expires_at ?? ''));
    expect(latestExpiry(alice, { ...own, expires_at: null }, 30, testNow)).toBeNull();
    expect(latestExpiry(withToken, undefined, 30, testNow)).toEqual(new Date('2026-03-31T12:00:00.000Z'));
    expect(latestExpiry(admin, own, 30, testNow)).toBeNull();
  });

  it('is what a key gets that asks for none, and more is refused', () => {
    const latest = new Date('2026-03-31T12:00:00.000Z');
    expect(decideNewKey(withToken, latest, {}, testNow).expiresAt).toEqual(latest);
    expect(faultIn(withToken, latest, { ttl_minutes: 31 * 24 * 60 })).toBe('expires_at');
    expect(faultIn(withToken, latest, { ttl_minutes: 60 })).toBeUndefined();
  });
});

describe('a new key', () => {
  it('expires in years of four digits, with room for keeping its document', () => {
    for (const expires_at of ['9999-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '0000-01-01T00:00:00Z']) {
      expect(faultIn(admin, null, { kind: 'service', expires_at })).toBe('expires_at');
    }
    expect(faultIn(admin, null, { kind: 'service', expires_at: '9998-12-31T23:59:59Z' })).toBeUndefined();
  });

  it('does not act as Berth itself', () => {
    expect(faultIn(admin, null, { kind: 'user', user: 'system' })).toBe('user');
    expect(faultIn(admin, null, { kind: 'user', user: 'local' })).toBeUndefined();
  });
});
