import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from '../../shared/auth/keys.ts';
import { StoreError } from '../../shared/documents/port.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { newId } from '../../shared/ids.ts';
import { userKey } from '../../shared/sessions/collections.ts';
import { fakeServices } from '../fakes/services.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { testNow } from '../fakes/session-document.ts';

const { services, calls } = fakeServices();
let server: TestServer;

beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, services));
});
afterAll(async () => server.stop());

async function get(
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${server.origin}${path}`, { headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown>, headers: response.headers };
}

async function send(method: string, path: string, key: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${server.origin}${path}`, {
    method,
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const later = (milliseconds: number): Date => new Date(server.clock.time.getTime() + milliseconds);
const pass = (milliseconds: number): void => {
  server.clock.time = later(milliseconds);
};

describe('a key', () => {
  it('works as X-API-Key and as a bearer token', async () => {
    const key = await server.newKey('user', 'alice');
    expect((await get('/v1/me', { 'x-api-key': key })).body).toMatchObject({ user: 'alice', kind: 'user', key_id: key.split('_')[1] });
    expect((await get('/v1/me', { authorization: `Bearer ${key}` })).status).toBe(200);
    expect((await get('/v1/me', { authorization: `bearer ${key}` })).status).toBe(200);
  });

  it('gets the same answer whether it is unknown or its secret is wrong, and the answer says how to authenticate', async () => {
    const key = await server.newKey('user', 'alice');
    const wrong = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
    const unknown = `berth_${newId()}_${'A'.repeat(43)}`;
    const answers = await Promise.all(
      [wrong, unknown, 'berth_x_y', `${key}x`, 'nonsense'].map((text) => get('/v1/me', { 'x-api-key': text })),
    );
    for (const { status, body, headers } of answers) {
      expect(status).toBe(401);
      expect(body).toMatchObject({ code: 'unauthenticated', detail: 'The key is not valid.' });
      expect(headers.get('www-authenticate')).toBe('Bearer realm="berth"');
    }
  });

  it('must be there', async () => {
    const before = calls.length;
    for (const headers of [{}, { 'x-api-key': '' }, { authorization: 'Basic YTpi' }, { authorization: 'Bearer' }]) {
      expect(await get('/v1/me', headers)).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated', detail: 'The request has no key.' },
      });
    }
    expect(calls).toHaveLength(before);
  });

  it('stops at its expiry', async () => {
    const key = await server.newKey('user', 'alice', later(60_000));
    expect((await get('/v1/me', { 'x-api-key': key })).status).toBe(200);
    pass(60_000);
    expect(await get('/v1/me', { 'x-api-key': key })).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining('expired') as string },
    });
  });

  it('stops at once where it was revoked, and within five seconds where another instance revoked it', async () => {
    const admin = await server.newKey('admin', 'root');
    const [here, elsewhere] = [await server.newKey('user', 'alice'), await server.newKey('user', 'alice')];
    const other = await startServer((deps) => createApiApp({ ...deps, store: server.deps.store, clock: server.deps.clock }, services));
    try {
      for (const key of [here, elsewhere]) expect((await get('/v1/me', { 'x-api-key': key })).status).toBe(200);
      expect((await send('DELETE', `/v1/keys/${here.split('_')[1]}`, admin)).status).toBe(200);
      expect((await get('/v1/me', { 'x-api-key': here })).status).toBe(401);

      await fetch(`${other.origin}/v1/keys/${elsewhere.split('_')[1]}`, { method: 'DELETE', headers: { 'x-api-key': admin } });
      pass(4_999);
      expect((await get('/v1/me', { 'x-api-key': elsewhere })).status).toBe(401);
    } finally {
      await other.stop();
    }
  });

  it('is nothing once its user was deleted, also where the deletion missed it', async () => {
    const [key, service] = [await server.newKey('user', 'leaver'), await server.newKey('service', 'leaver')];
    const document = { user: 'leaver', type: 'normal', limits: {}, holds: {}, created_at: '', deleted_at: testNow.toISOString() };
    await server.deps.store.create(userKey('leaver'), document);
    for (const missed of [key, service]) {
      expect(await get('/v1/me', { 'x-api-key': missed })).toMatchObject({ status: 403, body: { code: 'user_deleted' } });
    }
    const admin = await server.newKey('admin', 'root');
    expect(await send('POST', '/v1/keys', admin, { user: 'leaver' })).toMatchObject({ status: 403, body: { code: 'user_deleted' } });
    expect((await send('POST', '/v1/keys', admin, { kind: 'service' })).status).toBe(201);
  });

  it('is not in any log line, and its secret not in the store', async () => {
    const key = await server.newKey('user', 'alice');
    await get('/v1/me', { 'x-api-key': key });
    await send('POST', '/v1/sessions', key, { env: { A: key } });
    const secret = key.slice(-43);
    expect(JSON.stringify(server.lines())).not.toContain(secret);
    const stored = await server.deps.store.get({ collection: 'keys', id: key.split('_')[1] ?? '' });
    expect(stored?.data).toMatchObject({ kind: 'user', secret_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(JSON.stringify(stored?.data)).not.toContain(secret);
  });

  it('cannot be checked while the store is away: 503 and retryable, not 401', async () => {
    const away = await startServer(
      (deps) => createApiApp(deps, services),
      {},
      (deps) => ({
        ...deps,
        store: { ...deps.store, get: () => Promise.reject(new StoreError('unavailable', 'connect ECONNREFUSED 10.0.0.9:443')) },
      }),
    );
    try {
      const response = await fetch(`${away.origin}/v1/me`, { headers: { 'x-api-key': `berth_${newId()}_${'A'.repeat(43)}` } });
      expect(response.status).toBe(503);
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ code: 'store_unavailable', retryable: true });
      expect(text).not.toContain('10.0.0.9');
    } finally {
      await away.stop();
    }
  });
});

describe('making keys', () => {
  it('shows a key once; it works, and lists never show it', async () => {
    const alice = await server.newKey('user', 'alice');
    const made = await send('POST', '/v1/keys', alice, { name: 'laptop', ttl_minutes: 10 });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      kind: 'user',
      user: 'alice',
      name: 'laptop',
      expires_at: later(600_000).toISOString(),
      revoked_at: null,
    });
    const key = String(made.body['key']);
    expect((await get('/v1/me', { 'x-api-key': key })).body).toMatchObject({ user: 'alice', key_name: 'laptop' });
    const { body } = await send('GET', '/v1/keys?limit=200', alice);
    expect(JSON.stringify(body)).not.toContain(key.slice(-43));
    expect(JSON.stringify(body)).not.toContain('secret');
    expect((body['keys'] as { id: string }[]).map(({ id }) => id)).toContain(made.body['id']);
  });

  it('is for the same user alone with a key of kind user', async () => {
    const alice = await server.newKey('user', 'alice');
    for (const body of [{ user: 'bob' }, { kind: 'service' }, { kind: 'admin', user: 'alice' }]) {
      expect(await send('POST', '/v1/keys', alice, body)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
  });

  it('is open to admins for every kind and user', async () => {
    const admin = await server.newKey('admin', 'root');
    expect((await send('POST', '/v1/keys', admin, { kind: 'service' })).body).toMatchObject({ kind: 'service', user: null });
    expect((await send('POST', '/v1/keys', admin, { kind: 'user', user: 'bob' })).body).toMatchObject({ kind: 'user', user: 'bob' });
  });

  it('is nothing for a service', async () => {
    const service = await server.newKey('service', null);
    expect((await send('POST', '/v1/keys', service, { user: 'bob' })).status).toBe(403);
    expect((await send('GET', '/v1/keys', service)).status).toBe(403);
  });

  it('cannot make a key that outlives the one it was made with', async () => {
    const lent = await server.newKey('user', 'alice', later(3_600_000));
    expect((await send('POST', '/v1/keys', lent, {})).body['expires_at']).toBe(later(3_600_000).toISOString());
    expect(await send('POST', '/v1/keys', lent, { ttl_minutes: 61 })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'expires_at' }] },
    });
  });

  it('refuses what makes no sense', async () => {
    const admin = await server.newKey('admin', null);
    const cases: readonly (readonly [unknown, string])[] = [
      [{ kind: 'root' }, 'kind'],
      [{ kind: 'user' }, 'user'],
      [{ kind: 'service', expires_at: 'tomorrow' }, 'expires_at'],
      [{ kind: 'service', expires_at: new Date(testNow.getTime() - 1).toISOString() }, 'expires_at'],
      [{ kind: 'service', expires_at: '9999-12-31T23:59:59Z' }, 'expires_at'],
      [{ kind: 'service', ttl_minutes: 0 }, 'ttl_minutes'],
      [{ kind: 'service', ttl_minutes: 1, expires_at: '2030-01-01T00:00:00Z' }, 'ttl_minutes'],
      [{ kind: 'service', secret: 'x' }, 'secret'],
    ];
    for (const [body, path] of cases) {
      expect(await send('POST', '/v1/keys', admin, body)).toMatchObject({
        status: 422,
        body: { code: 'validation_failed', errors: [{ path }] },
      });
    }
  });
});

describe('other users’ keys', () => {
  it('are not listed and cannot be revoked: for others they do not exist', async () => {
    const [alice, bob] = [await server.newKey('user', 'alice'), await server.newKey('user', 'bob')];
    const { key: powerful } = await createKey({ ...server.deps }, { kind: 'admin', user: 'alice', name: null, expiresAt: null });
    const ids = ((await send('GET', '/v1/keys?limit=200', alice)).body['keys'] as { user: string; kind: string }[]).map(
      ({ user, kind }) => `${kind} ${user}`,
    );
    expect(new Set(ids)).toEqual(new Set(['user alice']));
    for (const foreign of [bob, powerful.reveal()]) {
      expect(await send('DELETE', `/v1/keys/${foreign.split('_')[1]}`, alice)).toMatchObject({ status: 404, body: { code: 'not_found' } });
      expect((await get('/v1/me', { 'x-api-key': foreign })).status).toBe(200);
    }
  });

  it('are listed page by page for an admin', async () => {
    const admin = await server.newKey('admin', 'root');
    const first = await send('GET', '/v1/keys?limit=2', admin);
    expect(first.body['keys']).toHaveLength(2);
    const next = await send('GET', `/v1/keys?limit=2&cursor=${encodeURIComponent(String(first.body['next_cursor']))}`, admin);
    expect(next.body['keys']).toHaveLength(2);
    expect(next.body['keys']).not.toEqual(first.body['keys']);
    expect(await send('GET', '/v1/keys?cursor=garbage', admin)).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  });
});

it('reaches a service only with a valid key', () => {
  expect(calls.map((call) => call.name).filter((name) => name !== 'getUser')).toEqual(['createSession']);
});
