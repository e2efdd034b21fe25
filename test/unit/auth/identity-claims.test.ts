import { describe, expect, it } from 'vitest';
import { userOfClaims, type Claims } from '../../../shared/auth/identity-claims.ts';
import type { IdentityProvider } from '../../../shared/config-users.ts';

const provider: IdentityProvider = {
  issuers: ['https://issuer.example'],
  audiences: ['berth'],
  userClaim: undefined,
  userPrefix: '',
  requiredClaims: {},
  jwksUri: undefined,
};

const userOf = (claims: Claims, fields: Partial<IdentityProvider> = {}, prefixes: readonly string[] = [fields.userPrefix ?? '']): unknown =>
  userOfClaims(claims, { ...provider, ...fields }, prefixes);
const refusal = { refusal: expect.any(String) as string };

describe('the user of a token', () => {
  it('is a verified e-mail address, and the subject where there is none', () => {
    expect(userOf({ sub: '42', email: 'alice@example.com', email_verified: true })).toBe('alice@example.com');
    expect(userOf({ sub: '42', email: 'alice@example.com', email_verified: false })).toBe('42');
    expect(userOf({ sub: '42', email: 'alice@example.com' })).toBe('42');
    expect(userOf({ sub: '42', email: 'alice@example.com', email_verified: 'true' })).toBe('42');
    expect(userOf({ sub: 'auth0|5f7' })).toBe('auth0|5f7');
  });

  it('is the configured claim, an address only where it is verified', () => {
    expect(userOf({ sub: '42', preferred_username: 'alice' }, { userClaim: 'preferred_username' })).toBe('alice');
    expect(userOf({ sub: '42', email: 'a@b.c' }, { userClaim: 'email' })).toEqual(refusal);
    expect(userOf({ sub: '42', email: 'a@b.c', email_verified: true }, { userClaim: 'email' })).toBe('a@b.c');
  });

  it('is nobody where the claim is missing, no text, or no name', () => {
    for (const claims of [{}, { sub: '' }, { sub: 'a b' }, { sub: 'a/b' }, { sub: 'x'.repeat(129) }, { sub: 'a\n' }]) {
      expect(userOf(claims)).toEqual(refusal);
    }
    expect(userOf({ sub: '42', name: ['alice'] }, { userClaim: 'name' })).toEqual(refusal);
  });

  it('is never a project or conversation, nor Berth itself or its administrator', () => {
    for (const sub of ['project:x', 'system', 'local']) expect(userOf({ sub })).toEqual(refusal);
    expect(userOf({ sub: 'x' }, { userPrefix: 'conversation:' })).toEqual(refusal);
    expect(userOf({ sub: 'tem' }, { userPrefix: 'sys' })).toEqual(refusal);
    expect(userOf({ sub: 'systematic' })).toBe('systematic');
  });

  it('is no subject that looks like an address, unless subjects were chosen as names', () => {
    expect(userOf({ sub: 'alice@example.com' })).toEqual(refusal);
    expect(userOf({ sub: 'alice@example.com', email: 'alice@example.com', email_verified: false })).toEqual(refusal);
    expect(userOf({ sub: 'alice@example.com' }, { userClaim: 'sub' })).toBe('alice@example.com');
  });

  it('is nobody without the claims that the provider’s tokens must have', () => {
    const requiredClaims = { hd: 'example.com', level: 2, firebase: { tenant: 't1' } };
    const right = { sub: '42', hd: 'example.com', level: 2, firebase: { tenant: 't1', identities: {} } };
    expect(userOf(right, { requiredClaims })).toBe('42');
    for (const wrong of [
      { hd: 'example.org' },
      { hd: undefined },
      { hd: ['example.com'] },
      { level: '2' },
      { firebase: 't1' },
      { firebase: {} },
      { firebase: null },
      { firebase: { tenant: 't2' } },
    ]) {
      expect(userOf({ ...right, ...wrong }, { requiredClaims })).toEqual(refusal);
    }
  });

  it('is nobody of a tenant that was not configured: tenants name their users as they like', () => {
    const claims = { sub: '42', email: 'alice@example.com', email_verified: true };
    expect(userOf({ ...claims, firebase: { sign_in_provider: 'password' } })).toBe('alice@example.com');
    expect(userOf({ ...claims, firebase: { tenant: 't1' } })).toEqual(refusal);
    expect(userOf({ ...claims, firebase: { tenant: 't1' } }, { requiredClaims: { firebase: { tenant: 't1' } } })).toBe('alice@example.com');
  });

  it('has its provider’s prefix, and no claim gets around it', () => {
    const prefixes = ['', 'corp:', 'corp:eu:'];
    expect(userOf({ sub: 'alice' }, { userPrefix: 'corp:' }, prefixes)).toBe('corp:alice');
    expect(userOf({ sub: 'alice' }, {}, prefixes)).toBe('alice');
    expect(userOf({ sub: 'corp:alice' }, {}, prefixes)).toEqual(refusal);
    expect(userOf({ sub: 'eu:alice' }, { userPrefix: 'corp:' }, prefixes)).toEqual(refusal);
    expect(userOf({ sub: 'alice' }, { userPrefix: 'corp:eu:' }, prefixes)).toBe('corp:eu:alice');
  });
});
