/**
 * The embedded cluster over HTTP: who may call, lists, changes, deletion, and what is not served.
 */
import type { V1Pod, V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_NAME } from '../../dev/cluster/api/index.ts';
import { json, NS, refusal, startApiRig, TOKEN, untilGone } from '../unit/dev/cluster-api/api-rig.ts';
import type { ApiRig } from '../unit/dev/cluster-api/api-rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await startApiRig();
});

afterAll(() => rig.stop());

describe('who may call', () => {
  it.each(['Bearer wrong', '', `Basic ${TOKEN}`])('refuses %j with 401', async (authorization) => {
    const response = await rig.call('/api/v1/namespaces', { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(await json<V1Status>(response)).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'Unauthorized', code: 401 });
  });

  it('takes the token from the path, as kubectl brings it, and refuses a wrong one there', async () => {
    expect((await fetch(`${rig.url}/token/${TOKEN}/version`)).status).toBe(200);
    expect((await fetch(`${rig.url}/token/wrong/version`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(401);
  });

  it('answers health to anybody', async () => {
    expect(await (await fetch(`${rig.url}/readyz`)).text()).toBe('ok');
  });
});

describe('lists', () => {
  it('come in pages that show the state of the first', async () => {
    const names = ['l1', 'l2', 'l3'];
    for (const name of names) await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name, labels: { paged: '' } } } });
    const page = { namespace: NS, labelSelector: 'paged', limit: 2 };
    const first = await rig.core.listNamespacedSecret(page);
    await rig.core.deleteNamespacedSecret({ name: 'l3', namespace: NS });
    const second = await rig.core.listNamespacedSecret({ ...page, _continue: first.metadata?._continue ?? '' });
    expect([...first.items, ...second.items].map(({ metadata }) => metadata?.name)).toEqual(names);
    expect(second.metadata?._continue).toBeUndefined();
    expect(second.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
  });

  it('refuse a page and a version that cannot be', async () => {
    expect((await rig.call('/api/v1/pods?continue=foo&limit=1')).status).toBe(400);
    expect((await rig.call('/api/v1/pods?resourceVersion=abc')).status).toBe(400);
    expect((await rig.call('/api/v1/pods?resourceVersion=999999999')).status).toBe(504);
  });

  it('are printed as kubectl asks, or cut to their metadata', async () => {
    const table = await (
      await rig.call('/api/v1/nodes', { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } })
    ).json();
    expect(table).toMatchObject({
      kind: 'Table',
      rows: [
        {
          cells: [NODE_NAME, 'Ready', '<none>', expect.stringMatching(/^\d+s$/), 'v1.34.4', '127.0.0.1', 'the machine itself', 'berth://1'],
        },
      ],
    });
    const metadata = await json<{ items: object[] }>(
      rig.call('/api/v1/nodes', { headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' } }),
    );
    expect(metadata).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: NODE_NAME } }],
    });
    expect(metadata.items[0]).not.toHaveProperty('status');
  });
});

describe('changes', () => {
  it('of an outdated version are conflicts', async () => {
    const secret = await rig.core.createNamespacedSecret({
      namespace: NS,
      body: { metadata: { name: 'versioned' }, stringData: { a: 'b' } },
    });
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'Yg==' } });
    await rig.core.replaceNamespacedSecret({ name: 'versioned', namespace: NS, body: { ...secret, stringData: { a: 'c' } } });
    const status = await refusal(rig.core.replaceNamespacedSecret({ name: 'versioned', namespace: NS, body: secret }));
    expect(status).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on secrets "versioned": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  it('of a status leave the rest alone, and the other way round', async () => {
    await rig.createPod('parts');
    const path = `/api/v1/namespaces/${NS}/pods/parts`;
    const merge = { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } };
    const both = JSON.stringify({ metadata: { labels: { a: 'b' } }, status: { message: 'hello' } });
    const status = await json<V1Pod>(rig.call(`${path}/status`, { ...merge, body: both }));
    expect([status.metadata?.labels, status.status?.message]).toEqual([undefined, 'hello']);
    const main = await json<V1Pod>(
      rig.call(path, { ...merge, body: JSON.stringify({ metadata: { labels: { a: 'b' } }, status: { message: 'lost' } }) }),
    );
    expect([main.metadata?.labels, main.status?.message]).toEqual([{ a: 'b' }, 'hello']);
  });

  it('of a type not served are refused with 415', async () => {
    const response = await rig.call(`/api/v1/namespaces/${NS}/secrets/versioned`, {
      method: 'PATCH',
      body: '{}',
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect([response.status, (await json<V1Status>(response)).reason]).toEqual([415, 'UnsupportedMediaType']);
  });

  it('tried only (dryRun) are checked and forgotten', async () => {
    await rig.core.createNamespacedSecret({ namespace: NS, dryRun: 'All', body: { metadata: { name: 'tried' } } });
    expect((await refusal(rig.core.readNamespacedSecret({ name: 'tried', namespace: NS }))).message).toBe('secrets "tried" not found');
    const again = rig.core.createNamespacedSecret({ namespace: NS, dryRun: 'All', body: { metadata: { name: 'versioned' } } });
    expect((await refusal(again)).reason).toBe('AlreadyExists');
  });
});

describe('deletion', () => {
  it('of another uid or version is a conflict', async () => {
    await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'guarded' } } });
    const remove = (preconditions: object): Promise<V1Status> =>
      refusal(rig.core.deleteNamespacedSecret({ name: 'guarded', namespace: NS, body: { preconditions } }));
    expect((await remove({ uid: 'abc' })).message).toContain('the UID in the precondition (abc) does not match the UID in record');
    expect((await remove({ resourceVersion: '1' })).code).toBe(409);
    expect(await rig.core.deleteNamespacedSecret({ name: 'guarded', namespace: NS })).toMatchObject({
      status: 'Success',
      details: { name: 'guarded', kind: 'secrets' },
    });
  });

  it('waits for finalizers', async () => {
    await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'held', finalizers: ['berth.test/hold'] } } });
    await rig.core.deleteNamespacedSecret({ name: 'held', namespace: NS });
    const held = await rig.core.readNamespacedSecret({ name: 'held', namespace: NS });
    expect(held.metadata?.deletionTimestamp).toBeDefined();
    await rig.core.replaceNamespacedSecret({
      name: 'held',
      namespace: NS,
      body: { ...held, metadata: { ...held.metadata, finalizers: [] } },
    });
    expect((await refusal(rig.core.readNamespacedSecret({ name: 'held', namespace: NS }))).code).toBe(404);
  });

  it('takes dependents along, and leaves them where it is told to orphan them', async () => {
    for (const name of ['owner', 'parent']) {
      const owner = await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name } } });
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Secret', name, uid: owner.metadata?.uid ?? '' }];
      await rig.core.createNamespacedServiceAccount({ namespace: NS, body: { metadata: { name: `of-${name}`, ownerReferences } } });
    }
    await rig.core.deleteNamespacedSecret({ name: 'parent', namespace: NS, propagationPolicy: 'Orphan' });
    await rig.core.deleteNamespacedSecret({ name: 'owner', namespace: NS });
    await untilGone(() => rig.core.readNamespacedServiceAccount({ name: 'of-owner', namespace: NS }));
    expect((await rig.core.readNamespacedServiceAccount({ name: 'of-parent', namespace: NS })).metadata?.ownerReferences ?? []).toEqual([]);
  });

  it('of a collection takes what is selected', async () => {
    for (const [name, group] of [
      ['x1', 'x'],
      ['x2', 'x'],
      ['y1', 'y'],
    ] as const)
      await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name, labels: { group } } } });
    await rig.core.deleteCollectionNamespacedSecret({ namespace: NS, labelSelector: 'group=x' });
    expect(
      (await rig.core.listNamespacedSecret({ namespace: NS, labelSelector: 'group' })).items.map(({ metadata }) => metadata?.name),
    ).toEqual(['y1']);
  });
});

describe('what is not served', () => {
  it.each([
    ['/apis/apps/v1/deployments', 'GET', 501],
    ['/api/v1/namespaces/work/podtemplates', 'GET', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed/portforward`, 'POST', 400],
    [`/api/v1/namespaces/${NS}/pods/fixed/attach`, 'POST', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed/nothing`, 'GET', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed`, 'POST', 405],
    [`/api/v1/namespaces/${NS}/pods`, 'PUT', 405],
    ['/api/v1/nodes/x', 'DELETE', 405],
    ['/api/v1/namespaces', 'DELETE', 405],
  ])('%s by %s is refused with %i', async (path, method, code) => {
    const response = await rig.call(path, { method });
    expect([response.status, (await json<V1Status>(response)).code]).toEqual([code, code]);
  });

  it('refuses bodies that are broken or larger than 3 MiB', async () => {
    const post = (body: string): Promise<Response> =>
      rig.call(`/api/v1/namespaces/${NS}/secrets`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect((await post('{bad')).status).toBe(400);
    expect((await post(JSON.stringify({ metadata: { name: 'x' }, data: { a: 'a'.repeat(3 * 1024 * 1024) } }))).status).toBe(413);
  });
});

describe('other kinds', () => {
  it('have their own defaults', async () => {
    const policy = await rig.networking.createNamespacedNetworkPolicy({
      namespace: NS,
      body: { metadata: { name: 'n' }, spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } },
    });
    expect(policy).toMatchObject({ spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }] } });
    const { items } = await rig.storage.listStorageClass();
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['premium-rwo', 'premium-rwx', 'standard-rwo', 'standard-rwx']);
  });
});
