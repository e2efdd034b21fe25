/**
 * The routes of users and of sharing, with the domains behind them.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServices } from '../../shared/create-services.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { newId } from '../../shared/ids.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import { namespaceKey, sessionKey } from '../../shared/sessions/collections.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { sessionDocument } from '../fakes/session-document.ts';
import { depsOf } from '../fakes/store-deps.ts';

let server: TestServer;
let admin: string;
let alice: string;
let bob: string;

beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))));
  [admin, alice, bob] = [await server.newKey('admin', 'root'), await server.newKey('user', 'alice'), await server.newKey('user', 'bob')];
});
afterAll(async () => server.stop());

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(key: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${server.origin}${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function newSession(user: string): Promise<string> {
  const id = newId();
  await server.deps.store.create(sessionKey(id), sessionDocument({ id, user, namespace: `u-${user}`, pod_name: `berth-${id}` }));
  return id;
}

function namespaceOf(owner: string, namespace: string): NamespaceDocument {
  return {
    namespace,
    owner,
    k8s_namespace: `berth-${namespace}`,
    state: 'active',
    sessions: {},
    emptied_at: null,
    k8s_uid: null,
    objects_digest: null,
    created_at: '2026-03-01T11:59:00.000Z',
  };
}

describe('users', () => {
  it('are set up by admins, and read back with limits under our names and the older ones', async () => {
    const put = await call(admin, 'PUT', '/v1/users/carol', { type: 'pro', limits: { sessions: 3, storage_gb: 12.5 } });
    expect(put).toMatchObject({ status: 200, body: { user: 'carol', type: 'pro', limits: { sessions: 3, storage_gb: 12.5 } } });
    expect(await call(admin, 'GET', '/v1/users/carol')).toEqual(put);
    expect((await call(admin, 'GET', '/v1/users/carol/entitlements')).body).toEqual({
      sessions: 3,
      jobs: 25,
      ttl_minutes: 10_080,
      buckets: 5,
      pvcs: 3,
      storage_gb: 12.5,
      cpu: 32,
      memory_gb: 64,
      gpus: 1,
      share: true,
      cross_namespace: true,
      max_buckets: 5,
      max_persistent_storage: 3,
      max_storage_size_gb: 12.5,
      can_share: true,
      can_cross_namespace: true,
    });
    expect((await call(admin, 'GET', '/v1/users/carol/usage')).body).toEqual({
      sessions: 0,
      jobs: 0,
      buckets: 0,
      pvcs: 0,
      storage_gb: 0,
      cpu: 0,
      memory_gb: 0,
      gpus: 0,
    });
    const { body } = await call(admin, 'GET', '/v1/users?type=pro&limit=200');
    expect((body['users'] as { user: string }[]).map(({ user }) => user)).toContain('carol');
  });

  it('see themselves alone, and administer nobody', async () => {
    for (const path of ['/v1/users/alice', '/v1/users/alice/entitlements', '/v1/users/alice/usage']) {
      expect((await call(alice, 'GET', path)).status).toBe(200);
      expect(await call(alice, 'GET', path.replace('alice', 'bob'))).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    const service = await server.newKey('service', null);
    for (const key of [alice, service]) {
      for (const [method, path, body] of [
        ['GET', '/v1/users'],
        ['PUT', '/v1/users/alice', { type: 'admin' }],
        ['DELETE', '/v1/users/bob'],
      ] as const) {
        expect(await call(key, method, path, body)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
      }
    }
    expect((await call(service, 'GET', '/v1/users/alice/usage')).status).toBe(200);
    expect((await call(service, 'GET', '/v1/me')).body).toMatchObject({ user: null, type: null, entitlements: null, usage: null });
  });

  it('may have any name that a project or conversation gives them', async () => {
    const id = encodeURIComponent('project:a b/c?d');
    expect((await call(admin, 'PUT', `/v1/users/${id}`, { type: 'enterprise' })).body).toMatchObject({ user: 'project:a b/c?d' });
    expect((await call(admin, 'GET', `/v1/users/${id}`)).body).toMatchObject({ type: 'enterprise' });
  });

  it('are refused with what makes no sense', async () => {
    const cases: readonly (readonly [unknown, string])[] = [
      [{}, 'type'],
      [{ type: 'gold' }, 'type'],
      [{ type: 'pro', limits: { sessions: -1 } }, 'limits.sessions'],
      [{ type: 'pro', limits: { sessions: 1.5 } }, 'limits.sessions'],
      [{ type: 'pro', limits: { session: 1 } }, 'limits.session'],
      [{ type: 'pro', limits: { ttl_minutes: 0 } }, 'limits.ttl_minutes'],
      [{ type: 'pro', holds: {} }, 'holds'],
    ];
    for (const [body, path] of cases) {
      expect(await call(admin, 'PUT', '/v1/users/carol', body)).toMatchObject({ status: 422, body: { errors: [{ path }] } });
    }
  });

  it('are deleted with their keys, at once on this instance', async () => {
    const dave = await server.newKey('user', 'dave');
    const session = await newSession('dave');
    expect(await call(admin, 'DELETE', '/v1/users/dave')).toMatchObject({
      status: 409,
      body: { code: 'user_in_use', sessions: [session] },
    });
    expect((await call(dave, 'GET', '/v1/me')).status).toBe(200);
    const deleted = await call(admin, 'DELETE', '/v1/users/dave?force=true');
    expect(deleted).toMatchObject({ status: 200, body: { deleted: true, sessions: [session], keys: [dave.split('_')[1]] } });
    expect((await call(dave, 'GET', '/v1/me')).status).toBe(401);
    expect((await call(admin, 'POST', '/v1/sessions?wait=0', { user: 'dave' })).body).toMatchObject({ code: 'user_deleted' });
  });
});

describe('sharing', () => {
  it('is granted, read, listed and withdrawn', async () => {
    await call(admin, 'PUT', '/v1/users/alice', { type: 'pro' });
    const id = await newSession('alice');
    const grants = `/v1/sessions/${id}/grants`;
    expect((await call(bob, 'GET', `/v1/sessions/${id}`)).status).toBe(404);
    expect(await call(alice, 'PUT', `${grants}/bob`, {})).toEqual({ status: 200, body: { user: 'bob', access: 'write' } });
    expect((await call(alice, 'PUT', `${grants}/bob`, { access: 'read' })).body).toEqual({ user: 'bob', access: 'read' });
    expect((await call(alice, 'GET', grants)).body).toEqual({ grants: [{ user: 'bob', access: 'read' }], next_cursor: null });
    expect((await call(bob, 'GET', `${grants}/bob`)).body).toEqual({ user: 'bob', access: 'read' });
    expect((await call(alice, 'GET', `${grants}/carol`)).status).toBe(404);

    expect((await call(bob, 'GET', `/v1/sessions/${id}`)).status).toBe(200);
    const listed = async (query: string): Promise<unknown[]> =>
      (await call(bob, 'GET', `/v1/sessions?${query}`)).body['sessions'] as unknown[];
    expect(await listed('shared=true')).toMatchObject([{ id, user: 'alice' }]);
    expect(await listed('shared=false')).toEqual([]);

    expect((await call(alice, 'DELETE', `${grants}/bob`)).body).toEqual({ deleted: true });
    expect((await call(bob, 'GET', `/v1/sessions/${id}`)).status).toBe(404);
  });

  it('for reading lets nobody run, change or end anything', async () => {
    const id = await newSession('alice');
    await call(alice, 'PUT', `/v1/sessions/${id}/grants/bob`, { access: 'read' });
    const forbidden: readonly (readonly [string, string, unknown?])[] = [
      ['POST', `/v1/sessions/${id}/execute`, { command: 'id' }],
      ['PATCH', `/v1/sessions/${id}`, { name: 'mine' }],
      ['POST', `/v1/sessions/${id}/stop`, {}],
      ['POST', `/v1/sessions/${id}/start`, {}],
      ['POST', `/v1/sessions/${id}/restart`, {}],
      ['DELETE', `/v1/sessions/${id}`],
      ['PUT', `/v1/sessions/${id}/grants/carol`, {}],
      ['DELETE', `/v1/sessions/${id}/grants/carol`],
    ];
    for (const [method, path, body] of forbidden) {
      expect([method, path, (await call(bob, method, path, body)).status]).toEqual([method, path, 403]);
    }
    expect((await call(bob, 'DELETE', `/v1/sessions/${id}/grants/bob`)).body).toEqual({ deleted: true });
    expect((await call(bob, 'GET', `/v1/sessions/${id}`)).status).toBe(404);
  });

  it('for writing lets nobody end or share it', async () => {
    const id = await newSession('alice');
    await call(alice, 'PUT', `/v1/sessions/${id}/grants/bob`, {});
    expect((await call(bob, 'PATCH', `/v1/sessions/${id}`, { name: 'ours' })).status).toBe(200);
    expect((await call(bob, 'DELETE', `/v1/sessions/${id}`)).status).toBe(403);
    expect((await call(bob, 'PUT', `/v1/sessions/${id}/grants/carol`, {})).status).toBe(403);
  });

  it('needs the right of the user type, and says so', async () => {
    const id = await newSession('bob');
    expect(await call(bob, 'PUT', `/v1/sessions/${id}/grants/alice`, {})).toMatchObject({
      status: 403,
      body: { code: 'not_entitled', entitlement: 'share' },
    });
  });

  it('of a namespace shows it in the other user’s list', async () => {
    await server.deps.store.create(namespaceKey('team'), namespaceOf('alice', 'team'));
    expect((await call(alice, 'PUT', '/v1/namespaces/team/grants/bob', { access: 'read' })).status).toBe(200);
    expect((await call(bob, 'GET', '/v1/namespaces?shared=true')).body).toMatchObject({
      namespaces: [{ namespace: 'team', owner: 'alice' }],
      next_cursor: null,
    });
    expect((await call(bob, 'GET', '/v1/namespaces')).body['namespaces']).toEqual([]);
    expect((await call(bob, 'DELETE', '/v1/namespaces/team')).status).toBe(403);
  });

  it('of namespaces is listed page by page, as are one’s own', async () => {
    const pages = async (key: string, query: string): Promise<string[]> => {
      const names: string[] = [];
      let next: string | null = '';
      while (next !== null) {
        const { body } = await call(key, 'GET', `/v1/namespaces?limit=1${query}${next === '' ? '' : `&cursor=${next}`}`);
        const [first, ...others] = body['namespaces'] as { namespace: string }[];
        expect(others).toEqual([]);
        if (first !== undefined) names.push(first.namespace);
        next = body['next_cursor'] as string | null;
      }
      return names;
    };
    await call(admin, 'PUT', '/v1/users/erin', { type: 'pro' });
    const erin = await server.newKey('user', 'erin');
    for (const namespace of ['b-team', 'a-team', 'c-team']) {
      await server.deps.store.create(namespaceKey(namespace), namespaceOf('erin', namespace));
      await call(erin, 'PUT', `/v1/namespaces/${namespace}/grants/frank`, {});
    }
    const [frank, service] = [await server.newKey('user', 'frank'), await server.newKey('service', null)];
    expect(await pages(erin, '')).toEqual(['a-team', 'b-team', 'c-team']);
    expect(await pages(service, '&user=erin')).toEqual(['a-team', 'b-team', 'c-team']);
    expect((await pages(frank, '&shared=true')).toSorted()).toEqual(['a-team', 'b-team', 'c-team']);
    expect((await pages(service, '&shared=true&user=frank')).toSorted()).toEqual(['a-team', 'b-team', 'c-team']);
    expect(await pages(frank, '&user=erin')).toEqual([]);
    expect(await call(service, 'GET', '/v1/namespaces?shared=true')).toMatchObject({ status: 422, body: { errors: [{ path: 'user' }] } });
  });

  it('tells nothing of what is not shared: not even that it is there', async () => {
    const id = await newSession('alice');
    const [there, nowhere] = [
      await call(bob, 'GET', `/v1/sessions/${id}/grants`),
      await call(bob, 'GET', `/v1/sessions/${newId()}/grants`),
    ];
    expect([there.status, nowhere.status]).toEqual([404, 404]);
    for (const [path, body] of [
      [`/v1/sessions/${id}/grants/bob`, { access: 'admin' }],
      [`/v1/sessions/${id}/grants/bob`, { rights: 'all' }],
    ] as const) {
      expect((await call(alice, 'PUT', path, body)).status).toBe(422);
    }
  });
});
