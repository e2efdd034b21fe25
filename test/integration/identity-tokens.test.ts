/**
 * Callers with identity tokens, over HTTP, with issuers that publish their keys over HTTP.
 */
import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { deleteUser } from '../../shared/entitlements/delete-user.ts';
import { createServices } from '../../shared/create-services.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { countReads, type CountingStore } from '../fakes/counting-store.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { startIssuer, type Claims, type Issuer, type TokenOptions } from '../fakes/issuer.ts';
import { testNow } from '../fakes/session-document.ts';
import { depsOf } from '../fakes/store-deps.ts';

const now = Math.floor(testNow.getTime() / 1000);
const audience = 'berth-test';
let main: Issuer;
let corp: Issuer;
let server: TestServer;
let store: CountingStore;

beforeAll(async () => {
  [main, corp] = await Promise.all([startIssuer(), startIssuer()]);
  const providers = [
    { issuer: main.url, audience },
    { issuer: corp.url, audience: [audience, 'other'], user_claim: 'login', user_prefix: 'corp:', jwks_uri: `${corp.url}/keys` },
  ];
  server = await startServer(
    (deps) => createApiApp(deps, createServices(depsOf(deps))),
    { BERTH_OIDC: JSON.stringify(providers), BERTH_DEFAULT_USER_TYPE: 'pro' },
    (deps) => {
      store = countReads(deps.store);
      return { ...deps, store };
    },
  );
});
afterAll(async () => {
  await server.stop();
  await Promise.all([main.stop(), corp.stop()]);
});
afterEach(() => {
  main.isAway = false;
  server.clock.time = testNow;
});

const good = (claims: Claims = {}): Claims => ({
  iss: main.url,
  aud: audience,
  sub: 'sub-1',
  email: 'alice@example.com',
  email_verified: true,
  iat: now,
  exp: now + 300,
  ...claims,
});

async function me(
  token: string,
  header: 'authorization' | 'x-api-key' = 'authorization',
): Promise<{ status: number; body: Record<string, unknown> }> {
  const value = header === 'authorization' ? `Bearer ${token}` : token;
  const response = await fetch(`${server.origin}/v1/me`, { headers: { [header]: value } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function meWith(claims: Claims = {}, options: TokenOptions = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  return me(await main.token(good(claims), options));
}

describe('an identity token', () => {
  it('is its user, of the default type, with the rights of a key of kind user', async () => {
    const { status, body } = await meWith();
    expect(status).toBe(200);
    expect(body).toMatchObject({ user: 'alice@example.com', kind: 'user', type: 'pro', key_name: null });
    expect(body['key_id']).toMatch(/^oidc:[0-9a-f]{16}$/);
  });

  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
    it(`is accepted with a signature of ${alg}`, async () => {
      expect((await meWith({}, { alg })).status).toBe(200);
    });
  }

  it('names its user by the provider’s claim behind the provider’s prefix, so that two providers’ users are never one', async () => {
    const claims = { ...good({ iss: corp.url, aud: ['x', 'other'] }), login: 'alice@example.com' };
    expect((await me(await corp.token(claims))).body).toMatchObject({ user: 'corp:alice@example.com' });
    expect((await meWith({ sub: 'corp:alice@example.com', email_verified: false })).status).toBe(401);
  });

  const skewed: readonly (readonly [string, Claims, number])[] = [
    ['that has expired 29 s ago', { exp: now - 29 }, 200],
    ['that has expired 31 s ago', { exp: now - 31 }, 401],
    ['that begins in 29 s', { nbf: now + 29 }, 200],
    ['that begins in 31 s', { nbf: now + 31 }, 401],
  ];
  for (const [what, claims, expected] of skewed) {
    it(`${what} is answered with ${String(expected)}: clocks may differ by 30 s`, async () => {
      expect((await meWith(claims)).status).toBe(expected);
    });
  }

  const wrong: readonly (readonly [string, () => Promise<string>])[] = [
    ['another audience', () => main.token(good({ aud: 'elsewhere' }))],
    ['no audience', () => main.token(good({ aud: undefined }))],
    ['no expiry', () => main.token(good({ exp: undefined }))],
    ['an issuer that is not configured', () => main.token(good({ iss: 'https://evil.example' }))],
    ['another configured issuer’s name', () => main.token(good({ iss: corp.url }))],
    ['another signer', () => main.token(good(), { forged: true })],
    ['an algorithm that is not allowed, though the key is the issuer’s', () => main.token(good(), { alg: 'RS512' })],
    ['a key that the issuer does not have', () => main.token(good(), { kid: 'unknown' })],
    ['a name that no user can have', () => main.token(good({ email: undefined, sub: 'no user' }))],
    ['no signature', async () => unsigned(good())],
    ['an HMAC by the public key', async () => hmac(good())],
    ['claims that were changed', async () => tampered(await main.token(good()))],
    ['garbage in the form of a token', async () => 'a.b.c'],
  ];
  for (const [what, token] of wrong) {
    it(`is refused with ${what}, and the store is not asked`, async () => {
      const text = await token();
      store.takeReads();
      for (const header of ['authorization', 'x-api-key'] as const) {
        expect(await me(text, header)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      }
      expect(store.takeReads()).toBe(0);
    });
  }

  it('cannot be checked while its issuer is away: 503 and retryable, not 401; and works again afterwards', async () => {
    const away = await startIssuer();
    const other = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))), {
      BERTH_OIDC: JSON.stringify([{ issuer: away.url, audience }]),
    });
    try {
      away.isAway = true;
      const token = await away.token(good({ iss: away.url }));
      const ask = async (): Promise<Response> => fetch(`${other.origin}/v1/me`, { headers: { authorization: `Bearer ${token}` } });
      const refused = await ask();
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ code: 'identity_unavailable', retryable: true });
      const asked = away.requests.discovery;
      expect((await ask()).status).toBe(503);
      expect(away.requests.discovery).toBe(asked);
      away.isAway = false;
      other.clock.time = new Date(testNow.getTime() + 2_000);
      expect((await ask()).status).toBe(200);
    } finally {
      await other.stop();
      await away.stop();
    }
  });

  it('is checked with the keys that are there while the issuer is away', async () => {
    expect((await meWith()).status).toBe(200);
    main.isAway = true;
    expect((await meWith({ sub: 'another', email_verified: false })).body).toMatchObject({ user: 'another' });
  });

  it('of an unknown key, while the issuer is away, does not shut out those of known ones', async () => {
    await meWith();
    main.isAway = true;
    // Later than the time in which the issuer is not asked again.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    try {
      expect((await meWith({}, { kid: 'unknown' })).status).toBe(503);
      expect((await meWith()).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
  });

  it('of unknown keys does not make Berth ask the issuer each time', async () => {
    await meWith();
    const { keys } = main.requests;
    for (let time = 0; time < 5; time += 1) expect((await meWith({}, { kid: `unknown-${String(time)}` })).status).toBe(401);
    expect(main.requests.keys - keys).toBeLessThanOrEqual(1);
  });

  it('is worth nothing once its user was deleted', async () => {
    const user = 'leaver@example.com';
    expect((await meWith({ email: user })).status).toBe(200);
    const admin = { keyId: 'k', kind: 'admin', user: 'root', requestId: 'r' } as const;
    await deleteUser(depsOf(server.deps), admin, user, { force: true });
    server.clock.time = new Date(testNow.getTime() + 5_000);
    expect(await meWith({ email: user })).toMatchObject({ status: 403, body: { code: 'user_deleted' } });
  });

  it('makes keys that last thirty days at most, however long is asked for', async () => {
    const token = await main.token(good());
    const make = async (body: object): Promise<{ status: number; body: Record<string, unknown> }> => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const response = await fetch(`${server.origin}/v1/keys`, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const made = await make({});
    expect(made).toMatchObject({ status: 201, body: { user: 'alice@example.com', expires_at: '2026-03-31T12:00:00.000Z' } });
    expect(await make({ expires_at: '2030-01-01T00:00:00Z' })).toMatchObject({ status: 422, body: { errors: [{ path: 'expires_at' }] } });
    expect((await me(String(made.body['key']), 'x-api-key')).body).toMatchObject({ user: 'alice@example.com' });
  });

  it('is not checked with keys that came over plain HTTP from elsewhere', async () => {
    const careless = await startIssuer();
    careless.keysUrl = 'http://keys.example/keys';
    const other = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))), {
      BERTH_OIDC: JSON.stringify([{ issuer: careless.url, audience }]),
    });
    try {
      const authorization = `Bearer ${await careless.token(good({ iss: careless.url }))}`;
      const response = await fetch(`${other.origin}/v1/me`, { headers: { authorization } });
      expect(await response.json()).toMatchObject({ code: 'identity_unavailable' });
      expect(JSON.stringify(other.lines())).toContain('must be https');
    } finally {
      await other.stop();
      await careless.stop();
    }
  });

  it('is not in any log line', async () => {
    const token = await main.token(good());
    await me(token);
    await me(`${token}x`);
    expect(JSON.stringify(server.lines())).not.toContain(token.split('.')[2]);
  });
});

it('is no credential where no issuer is configured', async () => {
  const plain = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))));
  try {
    const response = await fetch(`${plain.origin}/v1/me`, { headers: { authorization: `Bearer ${await main.token(good())}` } });
    expect(await response.json()).toMatchObject({ status: 401, detail: 'The key is not valid.' });
  } finally {
    await plain.stop();
  }
});

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function unsigned(claims: Claims): string {
  return `${encode({ alg: 'none' })}.${encode(claims)}.`;
}

async function hmac(claims: Claims): Promise<string> {
  const { keys } = (await (await fetch(`${main.url}/keys`)).json()) as { keys: { readonly n?: string }[] };
  const text = `${encode({ alg: 'HS256', kid: 'RS256' })}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', JSON.stringify(keys[0])).update(text).digest('base64url')}`;
}

function tampered(token: string): string {
  const [head, , signature] = token.split('.');
  return [head, encode(good({ email: 'root@example.com' })), signature].join('.');
}
