/**
 * The audit: what is written into it, and who may read it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditDocument } from '../../shared/audit/model.ts';
import { auditDocument, commandDigest, recordAudit } from '../../shared/audit/record.ts';
import type { Caller } from '../../shared/auth/caller.ts';
import { createServices } from '../../shared/create-services.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { sessionKey } from '../../shared/sessions/collections.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { sessionDocument, testNow } from '../fakes/session-document.ts';
import { depsOf } from '../fakes/store-deps.ts';

const alice: Caller = { keyId: 'k1', kind: 'user', user: 'alice', requestId: 'r1' };

describe('an entry', () => {
  it('is bounded, whatever it is about', () => {
    const detail = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`field${n}`, 'x'.repeat(1_000)]));
    const entry = auditDocument({ caller: alice, action: 'a.b', target: `sessions/${'y'.repeat(5_000)}`, detail }, 'id', testNow);
    expect(JSON.stringify(entry).length).toBeLessThan(5_000);
    expect(entry).toMatchObject({
      by: 'alice',
      key_id: 'k1',
      request_id: 'r1',
      user: 'alice',
      outcome: 'done',
      at: '2026-03-01T12:00:00.000Z',
    });
    expect(entry.purge_at).toBe('2026-05-30T12:00:00.000Z');
  });

  it('of a command tells its length and digest, and nothing of what it says', () => {
    expect(commandDigest('echo secret')).toEqual({
      command_sha256: '0a2a8dd851f7569ccf395bd92b487bdd663b143bcd4f4987f0b3526561e2ad01',
      command_bytes: 11,
    });
    expect(commandDigest(['a', 'b']).command_sha256).not.toBe(commandDigest('ab').command_sha256);
  });
});

describe('GET /v1/audit', () => {
  let server: TestServer;
  let admin: string;
  let user: string;
  let service: string;
  beforeAll(async () => {
    server = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))));
    admin = await server.newKey('admin', null);
    user = await server.newKey('user', 'alice');
    service = await server.newKey('service', null);
  });
  afterAll(async () => server.stop());

  const call = (key: string, method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${server.origin}${path}`, {
      method,
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  interface Listed {
    readonly entries: readonly Omit<AuditDocument, 'purge_at'>[];
    readonly next_cursor: string | null;
  }
  const list = async (key: string, query = ''): Promise<Listed> => {
    const response = await call(key, 'GET', `/v1/audit${query}`);
    expect(response.status).toBe(200);
    return (await response.json()) as Listed;
  };

  it('tells of a refusal: who, what, and why', async () => {
    const refused = await call(user, 'PUT', '/v1/templates/mine', { image: 'alpine:3.20' });
    expect(refused.status).toBe(403);
    const { request_id: requestId } = (await refused.json()) as { request_id: string };
    const { entries } = await list(user, '?action=request.refused');
    expect(entries).toMatchObject([
      {
        by: 'alice',
        user: 'alice',
        outcome: 'refused',
        request_id: requestId,
        target: '/v1/templates/mine',
        detail: { method: 'PUT', route: '/v1/templates/:id', code: 'forbidden' },
      },
    ]);
  });

  it('tells of a command that was run without what it says', async () => {
    const session = sessionDocument();
    await server.deps.store.create(sessionKey(session.id), session);
    // The cluster is away in this test; that the command was sent is told all the same.
    await call(user, 'POST', `/v1/sessions/${session.id}/execute`, { command: 'cat hunter2', env: { TOKEN: 'hunter3' } });
    const { entries } = await list(user, '?action=session.execute');
    expect(entries).toMatchObject([{ target: `sessions/${session.id}`, user: 'alice', detail: { command_bytes: 11 } }]);
    expect(JSON.stringify(entries)).not.toMatch(/hunter/);
  });

  it('tells of keys, templates and webhooks, never of their secrets', async () => {
    const key = (await (await call(user, 'POST', '/v1/keys', { name: 'second' })).json()) as { id: string; key: string };
    await call(admin, 'PUT', '/v1/templates/pg', { image: 'postgres:17' });
    const hook = (await (await call(user, 'POST', '/v1/webhooks', { url: 'https://example.com/token-in-path' })).json()) as {
      id: string;
      secret: string;
    };
    const { entries } = await list(admin);
    const actions = entries.map(({ action, target }) => `${action} ${target ?? ''}`);
    expect(actions).toEqual(
      expect.arrayContaining([`key.create keys/${key.id}`, 'template.put templates/pg', `webhook.create webhooks/${hook.id}`]),
    );
    for (const secret of [key.key, hook.secret, 'token-in-path']) expect(JSON.stringify(entries)).not.toContain(secret);
  });

  it('tells of what an admin does to users, and of what is shared with whom', async () => {
    await call(admin, 'PUT', '/v1/users/alice', { type: 'pro' });
    const session = sessionDocument({ id: 'shared1' });
    await server.deps.store.create(sessionKey(session.id), session);
    const granted = await call(user, 'PUT', `/v1/sessions/${session.id}/grants/bob`, { access: 'read' });
    expect(granted.status).toBe(200);
    await call(user, 'DELETE', `/v1/sessions/${session.id}/grants/bob`);
    const { entries } = await list(user);
    expect(entries.filter(({ target }) => target === 'users/alice')).toMatchObject([{ action: 'user.put', detail: { type: 'pro' } }]);
    // Both at the same time by the clock of this test, so in either order.
    const shared = entries.filter(({ target }) => target === `sessions/${session.id}`);
    expect(shared.toSorted((left, right) => (left.action < right.action ? -1 : 1))).toMatchObject([
      { action: 'grant.delete', detail: { to: 'bob' } },
      { action: 'grant.put', detail: { to: 'bob', access: 'read' } },
    ]);
  });

  it('tells the owner of what others did with their things', async () => {
    const session = sessionDocument({ id: 'shared2' });
    await server.deps.store.create(sessionKey(session.id), session);
    await call(service, 'PUT', `/v1/sessions/${session.id}/grants/bob`, { access: 'read' });
    await call(admin, 'DELETE', `/v1/sessions/${session.id}/grants/bob`);
    const { entries } = await list(user, `?target=sessions/${session.id}`);
    expect(entries.map(({ action, user: owner }) => `${action} of ${owner ?? ''}`).toSorted()).toEqual([
      'grant.delete of alice',
      'grant.put of alice',
    ]);
  });

  it('tells of sessions that were changed, of volumes, and of namespaces that were given up', async () => {
    const session = sessionDocument({ id: 'changed1' });
    await server.deps.store.create(sessionKey(session.id), session);
    await call(admin, 'PATCH', `/v1/sessions/${session.id}`, { ttl_minutes: 5, labels: { team: 'hidden' } });
    const made = await call(user, 'POST', '/v1/storage', { name: 'data', size_gb: 1 });
    const volume = (await made.json()) as { id: string };
    expect(made.status).toBe(201);
    await call(user, 'PATCH', `/v1/storage/${volume.id}`, { retain: false });
    await call(user, 'DELETE', `/v1/storage/${volume.id}`);
    const { entries } = await list(user);
    expect(entries.find(({ action }) => action === 'session.update')).toMatchObject({
      target: `sessions/${session.id}`,
      user: 'alice',
      detail: { fields: 'ttl_minutes labels', ttl_minutes: 5 },
    });
    expect(JSON.stringify(entries)).not.toContain('hidden');
    const ofVolume = entries.filter(({ target }) => target === `storage/${volume.id}`);
    expect(ofVolume.map(({ action }) => action).toSorted()).toEqual(['volume.create', 'volume.delete', 'volume.update']);
    expect(new Set(ofVolume.map(({ user: owner }) => owner))).toEqual(new Set(['alice']));
  });

  it('shows a user what is their own, an admin everything, and a service nothing', async () => {
    const { deps } = server;
    await recordAudit(deps, { caller: { ...alice, user: 'bob' }, action: 'own.thing' });
    await recordAudit(deps, {
      caller: { keyId: 'k-admin', kind: 'admin', user: null, requestId: 'r' },
      user: 'alice',
      action: 'own.thing',
    });
    expect((await list(user, '?action=own.thing')).entries).toMatchObject([{ by: 'k-admin', user: 'alice' }]);
    expect((await list(user, '?user=bob')).entries).toEqual([]);
    expect((await list(admin, '?action=own.thing')).entries).toHaveLength(2);
    expect((await list(admin, '?action=own.thing&user=bob')).entries).toHaveLength(1);
    expect((await call(service, 'GET', '/v1/audit')).status).toBe(403);
  });

  it('is paged, the newest first, and filtered by time and target', async () => {
    for (let n = 0; n < 5; n += 1) {
      server.clock.time = new Date(testNow.getTime() + n * 1_000);
      await recordAudit(server.deps, { caller: { ...alice, user: 'paged' }, action: 'page.turn', target: `pages/${n}` });
    }
    const seen: (string | null)[] = [];
    let next: string | null = null;
    do {
      const page: Listed = await list(admin, `?user=paged&limit=2${next === null ? '' : `&cursor=${next}`}`);
      seen.push(...page.entries.map(({ target }) => target));
      next = page.next_cursor;
    } while (next !== null);
    expect(seen).toEqual(['pages/4', 'pages/3', 'pages/2', 'pages/1', 'pages/0']);
    const within = await list(admin, '?user=paged&since=2026-03-01T13:00:01%2B01:00&until=2026-03-01T12:00:03Z');
    expect(within.entries.map(({ target }) => target)).toEqual(['pages/2', 'pages/1']);
    expect((await list(admin, '?target=pages/3')).entries).toHaveLength(1);
    expect((await call(admin, 'GET', '/v1/audit?since=yesterday')).status).toBe(422);
    server.clock.time = testNow;
  });

  it('shows nothing whose time is over, though the store may still have it', async () => {
    await recordAudit(server.deps, { caller: { ...alice, user: 'old' }, action: 'old.news' });
    expect((await list(admin, '?user=old')).entries).toHaveLength(1);
    server.clock.time = new Date(testNow.getTime() + 91 * 86_400_000);
    expect((await list(admin, '?user=old')).entries).toEqual([]);
    server.clock.time = testNow;
  });

  it('is not filled by a client in a loop, which keeps nobody else out of it', async () => {
    const looping = await server.newKey('user', 'looping');
    server.clock.time = new Date(testNow.getTime() + 3_600_000);
    await Promise.all(Array.from({ length: 150 }, () => call(looping, 'PUT', '/v1/templates/x', { image: 'a' })));
    const { entries } = await list(admin, '?user=looping&limit=200');
    expect(entries.length).toBeGreaterThan(100);
    expect(entries.length).toBeLessThanOrEqual(120);
    const meanwhile = await server.newKey('user', 'meanwhile');
    expect((await call(meanwhile, 'PUT', '/v1/templates/x', { image: 'a' })).status).toBe(403);
    expect((await list(admin, '?user=meanwhile')).entries).toMatchObject([{ action: 'request.refused' }]);
    server.clock.time = testNow;
  });
});
