/**
 * The routes of webhooks.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServices } from '../../shared/create-services.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { userKey } from '../../shared/sessions/collections.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { depsOf } from '../fakes/store-deps.ts';

describe('the routes of webhooks', () => {
  let server: TestServer;
  let alice: string;
  let bob: string;
  let service: string;
  let admin: string;
  beforeAll(async () => {
    server = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))));
    alice = await server.newKey('user', 'alice');
    bob = await server.newKey('user', 'bob');
    service = await server.newKey('service', null);
    admin = await server.newKey('admin', null);
  });
  afterAll(async () => server.stop());

  const call = (key: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.origin}/v1/webhooks${path}`, {
      method,
      headers: { 'x-api-key': key, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const made = async (response: Response): Promise<{ id: string; secret: string; user: string }> => {
    expect(response.status).toBe(201);
    return (await response.json()) as { id: string; secret: string; user: string };
  };
  const url = 'https://example.com/hook';

  it('make one, show its secret once, list it to its owner alone, and delete it', async () => {
    const hook = await made(await call(alice, 'POST', '', { url, events: ['session.failed'] }));
    expect(hook).toMatchObject({ user: 'alice', url, events: ['session.failed'], deliveries: [] });
    expect(hook.secret).toMatch(/^whsec_/);
    const read = await (await call(alice, 'GET', `/${hook.id}`)).text();
    expect(read).not.toContain(hook.secret);
    expect(await (await call(alice, 'GET', '')).json()).toMatchObject({ webhooks: [{ id: hook.id }], next_cursor: null });
    expect(await (await call(bob, 'GET', '')).json()).toEqual({ webhooks: [], next_cursor: null });
    expect((await call(bob, 'GET', `/${hook.id}`)).status).toBe(404);
    expect((await call(bob, 'DELETE', `/${hook.id}`)).status).toBe(404);
    expect((await call(alice, 'DELETE', `/${hook.id}`)).status).toBe(200);
    expect((await call(alice, 'DELETE', `/${hook.id}`)).status).toBe(200);
    expect((await call(alice, 'GET', `/${hook.id}`)).status).toBe(404);
  });

  it('answer the same again to the same Idempotency-Key, secret included, and refuse another body', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await made(await call(alice, 'POST', '', { url }, headers));
    const again = await call(alice, 'POST', '', { url }, headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await made(again)).toEqual(first);
    expect((await call(alice, 'POST', '', { url: `${url}2` }, headers)).status).toBe(422);
    expect((await made(await call(bob, 'POST', '', { url }, headers))).id).not.toBe(first.id);
  });

  it('let a service act for the user it names, and an admin follow everyone', async () => {
    expect((await call(service, 'POST', '', { url })).status).toBe(422);
    expect((await made(await call(service, 'POST', '', { url, user: 'carol' }))).user).toBe('carol');
    expect((await call(alice, 'POST', '', { url, user: 'bob' })).status).toBe(403);
    const all = await made(await call(admin, 'POST', '', { url }));
    expect(all.user).toBe('*');
    expect((await call(service, 'GET', `/${all.id}`)).status).toBe(404);
    expect((await call(admin, 'DELETE', `/${all.id}`)).status).toBe(200);
  });

  it('refuse what is no public address, with the field', async () => {
    for (const bad of ['http://example.com/', 'https://127.0.0.1/', 'https://[::ffff:169.254.169.254]/', 'nonsense']) {
      const response = await call(alice, 'POST', '', { url: bad });
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'validation_failed', errors: [{ path: 'url' }] });
    }
    expect((await call(alice, 'POST', '', { url, events: ['session.dancing'] })).status).toBe(422);
  });

  it('hold twenty of a user also where thirty are made at once', async () => {
    const key = await server.newKey('user', 'crowd');
    const responses = await Promise.all(Array.from({ length: 30 }, (_each, n) => call(key, 'POST', '', { url: `${url}${n}` })));
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(responses.filter(({ status }) => status === 409)).toHaveLength(10);
  });

  it('are not made for a user who was deleted', async () => {
    const deleted = { user: 'gone', type: 'normal', limits: {}, holds: {}, created_at: '2026-01-01T00:00:00.000Z' };
    await server.deps.store.create(userKey('gone'), { ...deleted, deleted_at: '2026-02-01T00:00:00.000Z' });
    const response = await call(service, 'POST', '', { url, user: 'gone' });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, 'user_deleted']);
  });

  it('hold twenty of a user, and no more', async () => {
    const key = await server.newKey('user', 'many');
    for (let n = 0; n < 20; n += 1) await made(await call(key, 'POST', '', { url: `${url}${n}` }));
    const response = await call(key, 'POST', '', { url });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([409, 'too_many_webhooks']);
    const [first] = ((await (await call(key, 'GET', '?limit=1')).json()) as { webhooks: [{ id: string }] }).webhooks;
    expect((await call(key, 'DELETE', `/${first.id}`)).status).toBe(200);
    await made(await call(key, 'POST', '', { url }));
    const pages = await (await call(key, 'GET', '?limit=15')).json();
    expect(pages).toMatchObject({ webhooks: expect.any(Array) as unknown, next_cursor: expect.any(String) as unknown });
  });
});
