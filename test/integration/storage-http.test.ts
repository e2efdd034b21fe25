import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../shared/errors/app-error.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import type { Services } from '../../shared/http/services.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { fakeServices } from '../fakes/services.ts';
import { snapshotDocument, volumeDocument } from '../fakes/volume-document.ts';

const { id } = volumeDocument();
const snapshot = snapshotDocument().id;
const replaced: Partial<Services> = {};
const { services: plausible } = fakeServices();
const { services, calls } = fakeServices({ deleteVolume: (...given) => ({ ...plausible, ...replaced }).deleteVolume(...given) });
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, services));
  key = await server.newKey('user', 'alice');
});
afterAll(async () => server.stop());
beforeEach(() => {
  calls.length = 0;
  delete replaced.deleteVolume;
});

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${server.origin}${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

describe('volumes', () => {
  it('are listed by their filters, fifty at a time where nothing is said', async () => {
    const response = await call('GET', '/v1/storage?namespace=n&user=alice&type=gcs_fuse&limit=2&cursor=c');
    expect(await response.json()).toMatchObject({ volumes: [{ id, name: 'data', sessions: [] }], next_cursor: 'next' });
    expect(calls[0]?.arguments[1]).toEqual({ namespace: 'n', user: 'alice', type: 'gcs_fuse', limit: 2, cursor: 'c' });
    await call('GET', '/v1/storage?shared=true');
    expect(calls[1]?.arguments[1]).toEqual({ shared: true, limit: 50 });
  });

  it('are created with 201 and a Location', async () => {
    const response = await call('POST', '/v1/storage', { name: 'data', size_gb: 20 });
    expect([response.status, response.headers.get('location')]).toEqual([201, `/v1/storage/${id}`]);
    expect(await response.json()).toMatchObject({ id, status: 'creating' });
    expect(calls).toMatchObject([{ name: 'createVolume', arguments: [{ user: 'alice' }, { name: 'data', size_gb: 20 }] }]);
  });

  it('are read with what the cluster says, and with nothing that is Berth’s own business', async () => {
    const answer = (await (await call('GET', `/v1/storage/${id}`)).json()) as object;
    expect(answer).toEqual({
      id,
      name: 'data',
      type: 'persistent_volume',
      user: 'alice',
      namespace: 'u-alice',
      k8s_namespace: 'berth-u-alice',
      claim_name: `berth-${id}`,
      bucket_name: null,
      storage_class: 'standard-rwo',
      shared: false,
      size_gb: 10,
      status: 'ready',
      reason: null,
      retain: true,
      sessions: [],
      snapshot_id: null,
      created_at: '2026-03-01T11:59:00.000Z',
      updated_at: '2026-03-01T11:59:01.000Z',
      phase: 'Bound',
      capacity_gb: 10,
    });
  });

  it('are changed and deleted', async () => {
    expect((await call('PATCH', `/v1/storage/${id}`, { size_gb: 20 })).status).toBe(200);
    expect(await (await call('DELETE', `/v1/storage/${id}`)).json()).toEqual({ deleted: true, status: 'deleting' });
    expect(calls.map(({ name }) => name)).toEqual(['updateVolume', 'deleteVolume']);
  });

  it('in use are refused with the sessions that use them', async () => {
    replaced.deleteVolume = () => Promise.reject(new AppError('volume_in_use', 'mounted by s1', { extensions: { sessions: ['s1'] } }));
    const response = await call('DELETE', `/v1/storage/${id}`);
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'volume_in_use', sessions: ['s1'] });
  });

  const wrong: readonly (readonly [string, string, unknown, string])[] = [
    ['POST', '/v1/storage', {}, 'name'],
    ['POST', '/v1/storage', { name: 'A' }, 'name'],
    ['POST', '/v1/storage', { name: 'a', size_gb: -1 }, 'size_gb'],
    ['POST', '/v1/storage', { name: 'a', size: 1 }, 'size'],
    ['POST', '/v1/storage', { name: 'a', type: 'nfs' }, 'type'],
    ['PATCH', `/v1/storage/${id}`, {}, ''],
    ['PATCH', `/v1/storage/${id}`, { name: 'b' }, 'name'],
    ['GET', '/v1/storage?sort=name', undefined, 'sort'],
    ['GET', '/v1/storage?limit=0', undefined, 'limit'],
  ];
  for (const [method, path, body, field] of wrong) {
    it(`refuse ${method} ${path} with ${JSON.stringify(body)} by its field`, async () => {
      const response = await call(method, path, body);
      expect(response.status).toBe(422);
      const { errors } = (await response.json()) as { errors: { path: string }[] };
      expect(errors.map((error) => error.path)).toContain(field);
      expect(calls).toEqual([]);
    });
  }

  it('with an impossible id are not there', async () => {
    for (const path of ['/v1/storage/x', '/v1/storage/..%2f', `/v1/storage/${id}/snapshots/X`])
      expect((await call('GET', path)).status).toBe(404);
  });
});

describe('snapshots of a volume', () => {
  it('are made, listed, read and deleted', async () => {
    const made = await call('POST', `/v1/storage/${id}/snapshots`);
    expect([made.status, made.headers.get('location')]).toEqual([201, `/v1/storage/${id}/snapshots/${snapshot}`]);
    expect(await (await call('GET', `/v1/storage/${id}/snapshots`)).json()).toMatchObject({
      snapshots: [{ id: snapshot }],
      next_cursor: null,
    });
    expect(await (await call('GET', `/v1/storage/${id}/snapshots/${snapshot}`)).json()).toMatchObject({ id: snapshot, status: 'ready' });
    expect(await (await call('DELETE', `/v1/storage/${id}/snapshots/${snapshot}`)).json()).toEqual({ deleted: true });
    expect(calls.map(({ name }) => name)).toEqual(['takeSnapshot', 'listSnapshots', 'getSnapshot', 'removeSnapshot']);
  });
});
