/**
 * The embedded cluster's API over HTTP, driven by the client library, with a node that only pretends to run pods.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiException, CoreV1Api, KubeConfig, NetworkingV1Api, StorageV1Api } from '@kubernetes/client-node';
import type { V1Pod, V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { kubeconfig, NODE_NAME, openObjects, startApiServer, startControllers } from '../../dev/cluster/api/index.ts';
import type { ApiServer, Controllers, ObjectStore } from '../../dev/cluster/api/index.ts';
import { startFakeNode } from '../unit/dev/cluster-api/fake-node.ts';
import type { FakeNode } from '../unit/dev/cluster-api/fake-node.ts';

const TOKEN = 'a-token-of-this-test';
const NS = 'work';
const CAPABILITIES = { sandbox: false, pidNamespace: false, networkPolicy: false, memoryLimit: false, registry: false };

let directory: string;
let objects: ObjectStore;
let controllers: Controllers;
let api: ApiServer;
let node: FakeNode;
let core: CoreV1Api;
let networking: NetworkingV1Api;
let storage: StorageV1Api;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-api-'));
  objects = openObjects(join(directory, 'objects.db'));
  node = startFakeNode(objects);
  controllers = startControllers(objects, { capabilities: CAPABILITIES });
  api = await startApiServer({ objects, node: () => node, tokens: [TOKEN] });
  const config = new KubeConfig();
  config.loadFromString(kubeconfig(api.url, TOKEN));
  core = config.makeApiClient(CoreV1Api);
  networking = config.makeApiClient(NetworkingV1Api);
  storage = config.makeApiClient(StorageV1Api);
  await core.createNamespace({ body: { metadata: { name: NS } } });
  await untilPresent(() => core.readNamespacedServiceAccount({ name: 'default', namespace: NS }));
});

afterAll(async () => {
  for (const pid of node.started) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
  controllers.close();
  await api.close();
  objects.close();
  rmSync(directory, { recursive: true });
});

function container(more: object = {}): { name: string; image: string } {
  return { name: 'c', image: 'busybox:1.36', ...more };
}

function createPod(name: string, more: Partial<V1Pod['spec'] & object> = {}, metadata: V1Pod['metadata'] & object = {}): Promise<V1Pod> {
  return core.createNamespacedPod({
    namespace: NS,
    body: { metadata: { ...metadata, name }, spec: { containers: [container()], ...more } },
  });
}

/** The `Status` of a refusal. */
async function refusal(request: Promise<unknown>): Promise<V1Status> {
  const error = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiException)) throw new Error('the request was not refused', { cause: error });
  return JSON.parse(String(error.body)) as V1Status;
}

function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has('authorization')) headers.set('authorization', `Bearer ${TOKEN}`);
  return fetch(`${api.url}${path}`, { ...init, headers });
}

async function json<T>(response: Promise<Response> | Response): Promise<T> {
  return (await (await response).json()) as T;
}

async function untilPresent<T>(read: () => Promise<T>): Promise<T> {
  return until(() => read().catch(() => undefined));
}

/** Asks until there is an answer; for at most five seconds. */
async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 5000;
  while (Date.now() < deadline) {
    const value = await read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not happen within five seconds');
}

const gone = (read: () => Promise<unknown>): Promise<true> =>
  until(() =>
    read().then(
      () => undefined,
      () => true as const,
    ),
  );

interface Line {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly code?: number;
    readonly reason?: string;
    readonly metadata: { readonly name?: string; readonly resourceVersion?: string; readonly annotations?: Record<string, string> };
  };
}

/** The lines of a watch, one after the other; leaving the loop ends it. */
async function* watch(query: string, path = `/api/v1/namespaces/${NS}/pods`): AsyncGenerator<Line> {
  const response = await call(`${path}?watch=1&${query}`, { signal: AbortSignal.timeout(8000) });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Line;
  }
}

async function next(lines: AsyncGenerator<Line>): Promise<Line> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error('the watch ended');
  return value;
}

describe('who may call', () => {
  it.each(['Bearer wrong', '', `Basic ${TOKEN}`])('refuses %j with 401', async (authorization) => {
    const response = await call('/api/v1/namespaces', { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(await json<V1Status>(response)).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'Unauthorized', code: 401 });
  });

  it('takes the token from the path, as kubectl brings it, and refuses a wrong one there', async () => {
    expect((await fetch(`${api.url}/token/${TOKEN}/version`)).status).toBe(200);
    expect((await fetch(`${api.url}/token/wrong/version`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(401);
  });

  it('answers health to anybody', async () => {
    expect(await (await fetch(`${api.url}/readyz`)).text()).toBe('ok');
  });
});

describe('pods', () => {
  it('become ready, with the defaults that Kubernetes writes', async () => {
    const created = await createPod('first', { containers: [container({ resources: { requests: { cpu: '0.5', memory: '1024Mi' } } })] });
    expect(created).toMatchObject({
      metadata: { generation: 1 },
      spec: {
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        serviceAccountName: 'default',
        dnsPolicy: 'ClusterFirst',
        enableServiceLinks: true,
      },
      status: { phase: 'Pending', qosClass: 'Burstable' },
    });
    expect(created.spec?.containers[0]).toMatchObject({
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '500m', memory: '1Gi' } },
    });
    const ready = await until(async () => {
      const pod = await core.readNamespacedPod({ name: 'first', namespace: NS });
      return pod.status?.phase === 'Running' ? pod : undefined;
    });
    expect(ready.spec?.nodeName).toBe(NODE_NAME);
    expect(ready.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.status).toBe('True');
  });

  it('reach a watcher within milliseconds', async () => {
    const { metadata } = await core.listNamespacedPod({ namespace: NS });
    const lines = watch(`resourceVersion=${metadata?.resourceVersion}&fieldSelector=metadata.name=quick`);
    const first = next(lines);
    const start = performance.now();
    await createPod('quick');
    expect((await first).object.metadata.name).toBe('quick');
    expect(performance.now() - start).toBeLessThan(250);
    await lines.return(undefined);
  });

  it('are terminating for their grace period, and gone when the node says so', async () => {
    await createPod('ending', { terminationGracePeriodSeconds: 7 });
    await until(async () =>
      (await core.readNamespacedPod({ name: 'ending', namespace: NS })).status?.phase === 'Running' ? true : undefined,
    );
    const deleted = await core.deleteNamespacedPod({ name: 'ending', namespace: NS });
    expect(deleted.metadata?.deletionGracePeriodSeconds).toBe(7);
    expect(deleted.metadata?.deletionTimestamp).toBeDefined();
    await gone(() => core.readNamespacedPod({ name: 'ending', namespace: NS }));
  });

  it('that no node has are gone at once', async () => {
    await createPod('nowhere', { nodeSelector: { disk: 'fast' } });
    await core.deleteNamespacedPod({ name: 'nowhere', namespace: NS });
    expect((await refusal(core.readNamespacedPod({ name: 'nowhere', namespace: NS }))).code).toBe(404);
  });

  const unschedulable: readonly (readonly [why: string, spec: Partial<V1Pod['spec'] & object>, message: string])[] = [
    ['of a selector', { nodeSelector: { disk: 'fast' } }, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."],
    [
      'of their cpu',
      { containers: [container({ resources: { requests: { cpu: '100000' } } })] },
      '0/1 nodes are available: 1 Insufficient cpu.',
    ],
    [
      'of their memory',
      { containers: [container({ resources: { requests: { memory: '900Ti' } } })] },
      '0/1 nodes are available: 1 Insufficient memory.',
    ],
    [
      'a claim is missing',
      { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'nope' } }] },
      '0/1 nodes are available: persistentvolumeclaim "nope" not found. not found',
    ],
  ];
  it.each(unschedulable)('say that they cannot be scheduled because %s', async (_why, spec, message) => {
    const { metadata } = await core.createNamespacedPod({
      namespace: NS,
      body: { metadata: { generateName: 'stuck-' }, spec: { containers: [container()], ...spec } },
    });
    const name = metadata?.name ?? '';
    const condition = await until(async () =>
      (await core.readNamespacedPod({ name, namespace: NS })).status?.conditions?.find(({ type }) => type === 'PodScheduled'),
    );
    expect(condition).toMatchObject({ status: 'False', reason: 'Unschedulable' });
    expect(condition.message).toContain(message);
    const { items } = await core.listNamespacedEvent({
      namespace: NS,
      fieldSelector: `involvedObject.name=${name},involvedObject.uid=${metadata?.uid}`,
    });
    expect(items.map(({ reason }) => reason)).toEqual(['FailedScheduling']);
  });

  it('are refused with every fault at once', async () => {
    const status = await refusal(
      createPod('faulty', {
        containers: [
          { name: 'c', image: '' },
          { name: 'c', image: 'x', env: [{ name: 'a=b' }], volumeMounts: [{ name: 'nov', mountPath: '/x' }] },
        ],
      }),
    );
    expect(status).toMatchObject({ code: 422, reason: 'Invalid', details: { kind: 'Pod', name: 'faulty' } });
    expect(status.details?.causes?.map(({ field, reason }) => `${field} ${reason}`)).toEqual([
      'spec.containers[0].image FieldValueRequired',
      'spec.containers[1].name FieldValueDuplicate',
      'spec.containers[1].env[0].name FieldValueInvalid',
      'spec.containers[1].volumeMounts[0].name FieldValueNotFound',
    ]);
  });

  const wrong: readonly (readonly [what: string, body: object, code: number, message: string])[] = [
    [
      'a bad name',
      { metadata: { name: 'P' }, spec: { containers: [container()] } },
      422,
      'Pod "P" is invalid: metadata.name: Invalid value: "P": a lowercase RFC 1123 subdomain must consist of',
    ],
    [
      'no name',
      { metadata: {}, spec: { containers: [container()] } },
      422,
      'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'a bad label',
      { metadata: { name: 'p', labels: { a: 'b c' } }, spec: { containers: [container()] } },
      422,
      'metadata.labels: Invalid value: "b c": a valid label must be',
    ],
    ['no container', { metadata: { name: 'p' }, spec: {} }, 422, 'Pod "p" is invalid: spec.containers: Required value'],
    [
      'no quantity',
      { metadata: { name: 'p' }, spec: { containers: [container({ resources: { requests: { cpu: 'abc' } } })] } },
      400,
      'quantities must match the regular expression',
    ],
    [
      'a number for a name',
      { metadata: { name: 'p' }, spec: { containers: [container({ env: [{ name: 5 }] })] } },
      400,
      'json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.name of type string',
    ],
    [
      'another kind',
      { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'p' } },
      400,
      'Secret in version "v1" cannot be handled as a Pod',
    ],
    [
      'another namespace',
      { metadata: { name: 'p', namespace: 'other' }, spec: { containers: [container()] } },
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'more requested than allowed',
      { metadata: { name: 'p' }, spec: { containers: [container({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } })] } },
      422,
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      'a strange account',
      { metadata: { name: 'p' }, spec: { serviceAccountName: 'nosa', containers: [container()] } },
      403,
      `pods "p" is forbidden: error looking up service account ${NS}/nosa: serviceaccount "nosa" not found`,
    ],
  ];
  it.each(wrong)('with %s are refused', async (_what, body, code, message) => {
    const response = await call(`/api/v1/namespaces/${NS}/pods`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    const status = await json<V1Status>(response);
    expect(response.status).toBe(code);
    expect(status).toMatchObject({ kind: 'Status', status: 'Failure', code });
    expect(status.message).toContain(message);
  });

  it('cannot be changed but for images', async () => {
    await createPod('fixed');
    const patch = (spec: object): Promise<Response> =>
      call(`/api/v1/namespaces/${NS}/pods/fixed`, {
        method: 'PATCH',
        body: JSON.stringify({ spec }),
        headers: { 'content-type': 'application/strategic-merge-patch+json' },
      });
    expect((await patch({ terminationGracePeriodSeconds: 5 })).status).toBe(422);
    const changed = await json<V1Pod>(patch({ containers: [{ name: 'c', image: 'busybox:2' }] }));
    expect(changed.spec?.containers.map(({ image }) => image)).toEqual(['busybox:2']);
  });

  it('are evicted as they are deleted, with the reason in a condition', async () => {
    await createPod('evicted', { nodeSelector: { disk: 'fast' } }, { finalizers: ['berth.test/hold'] });
    await core.createNamespacedPodEviction({
      name: 'evicted',
      namespace: NS,
      body: { metadata: { name: 'evicted' }, deleteOptions: { gracePeriodSeconds: 0 } },
    });
    const pod = await core.readNamespacedPod({ name: 'evicted', namespace: NS });
    expect(pod.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason).toBe('EvictionByEvictionAPI');
    expect(pod.metadata?.deletionTimestamp).toBeDefined();
  });
});

describe('changes', () => {
  it('of an outdated version are conflicts', async () => {
    const secret = await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'versioned' }, stringData: { a: 'b' } } });
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'Yg==' } });
    await core.replaceNamespacedSecret({ name: 'versioned', namespace: NS, body: { ...secret, stringData: { a: 'c' } } });
    const status = await refusal(core.replaceNamespacedSecret({ name: 'versioned', namespace: NS, body: secret }));
    expect(status).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on secrets "versioned": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  it('of a status leave the rest alone, and the other way round', async () => {
    await createPod('parts');
    const path = `/api/v1/namespaces/${NS}/pods/parts`;
    const merge = { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } };
    const both = JSON.stringify({ metadata: { labels: { a: 'b' } }, status: { message: 'hello' } });
    const status = await json<V1Pod>(call(`${path}/status`, { ...merge, body: both }));
    expect([status.metadata?.labels, status.status?.message]).toEqual([undefined, 'hello']);
    const main = await json<V1Pod>(
      call(path, { ...merge, body: JSON.stringify({ metadata: { labels: { a: 'b' } }, status: { message: 'lost' } }) }),
    );
    expect([main.metadata?.labels, main.status?.message]).toEqual([{ a: 'b' }, 'hello']);
  });

  it('of a type not served are refused with 415', async () => {
    const response = await call(`/api/v1/namespaces/${NS}/secrets/versioned`, {
      method: 'PATCH',
      body: '{}',
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    expect([response.status, (await json<V1Status>(response)).reason]).toEqual([415, 'UnsupportedMediaType']);
  });

  it('tried only (dryRun) are checked and forgotten', async () => {
    await core.createNamespacedSecret({ namespace: NS, dryRun: 'All', body: { metadata: { name: 'tried' } } });
    expect((await refusal(core.readNamespacedSecret({ name: 'tried', namespace: NS }))).message).toBe('secrets "tried" not found');
  });
});

describe('deletion', () => {
  it('of another uid or version is a conflict', async () => {
    await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'guarded' } } });
    const remove = (preconditions: object): Promise<V1Status> =>
      refusal(core.deleteNamespacedSecret({ name: 'guarded', namespace: NS, body: { preconditions } }));
    expect((await remove({ uid: 'abc' })).message).toContain('the UID in the precondition (abc) does not match the UID in record');
    expect((await remove({ resourceVersion: '1' })).code).toBe(409);
    expect(await core.deleteNamespacedSecret({ name: 'guarded', namespace: NS })).toMatchObject({
      status: 'Success',
      details: { name: 'guarded', kind: 'secrets' },
    });
  });

  it('waits for finalizers', async () => {
    await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'held', finalizers: ['berth.test/hold'] } } });
    await core.deleteNamespacedSecret({ name: 'held', namespace: NS });
    const held = await core.readNamespacedSecret({ name: 'held', namespace: NS });
    expect(held.metadata?.deletionTimestamp).toBeDefined();
    await core.replaceNamespacedSecret({ name: 'held', namespace: NS, body: { ...held, metadata: { ...held.metadata, finalizers: [] } } });
    expect((await refusal(core.readNamespacedSecret({ name: 'held', namespace: NS }))).code).toBe(404);
  });

  it('takes dependents along, and leaves them where it is told to orphan them', async () => {
    for (const name of ['owner', 'parent']) {
      const owner = await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name } } });
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Secret', name, uid: owner.metadata?.uid ?? '' }];
      await core.createNamespacedServiceAccount({ namespace: NS, body: { metadata: { name: `of-${name}`, ownerReferences } } });
    }
    await core.deleteNamespacedSecret({ name: 'parent', namespace: NS, propagationPolicy: 'Orphan' });
    await core.deleteNamespacedSecret({ name: 'owner', namespace: NS });
    await gone(() => core.readNamespacedServiceAccount({ name: 'of-owner', namespace: NS }));
    expect((await core.readNamespacedServiceAccount({ name: 'of-parent', namespace: NS })).metadata?.ownerReferences ?? []).toEqual([]);
  });

  it('of a collection takes what is selected', async () => {
    for (const [name, group] of [
      ['x1', 'x'],
      ['x2', 'x'],
      ['y1', 'y'],
    ] as const)
      await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name, labels: { group } } } });
    await core.deleteCollectionNamespacedSecret({ namespace: NS, labelSelector: 'group=x' });
    expect(
      (await core.listNamespacedSecret({ namespace: NS, labelSelector: 'group' })).items.map(({ metadata }) => metadata?.name),
    ).toEqual(['y1']);
  });
});

describe('lists', () => {
  it('come in pages that show the state of the first', async () => {
    const names = ['l1', 'l2', 'l3'];
    for (const name of names) await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name, labels: { paged: '' } } } });
    const page = { namespace: NS, labelSelector: 'paged', limit: 2 };
    const first = await core.listNamespacedSecret(page);
    await core.deleteNamespacedSecret({ name: 'l3', namespace: NS });
    const second = await core.listNamespacedSecret({ ...page, _continue: first.metadata?._continue ?? '' });
    expect([...first.items, ...second.items].map(({ metadata }) => metadata?.name)).toEqual(names);
    expect(second.metadata?._continue).toBeUndefined();
    expect(second.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
  });

  it('refuse a page and a version that cannot be', async () => {
    expect((await call('/api/v1/pods?continue=foo&limit=1')).status).toBe(400);
    expect((await call('/api/v1/pods?resourceVersion=abc')).status).toBe(400);
    expect((await call('/api/v1/pods?resourceVersion=999999999')).status).toBe(504);
  });

  it('are printed as kubectl asks, or cut to their metadata', async () => {
    const table = await (
      await call('/api/v1/nodes', { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } })
    ).json();
    expect(table).toMatchObject({
      kind: 'Table',
      rows: [{ cells: [NODE_NAME, 'Ready', '<none>', expect.stringMatching(/^\d+s$/), 'v1.34.4', ...Array(3).fill(expect.any(String))] }],
    });
    const metadata = await json<{ items: object[] }>(
      call('/api/v1/nodes', { headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' } }),
    );
    expect(metadata).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: NODE_NAME } }],
    });
    expect(metadata.items[0]).not.toHaveProperty('status');
  });
});

describe('watches', () => {
  it('begin with what is there, mark it, and follow an object into and out of a selection', async () => {
    const label = (value: string): Promise<Response> =>
      call(`/api/v1/namespaces/${NS}/secrets/moving`, {
        method: 'PATCH',
        body: JSON.stringify({ metadata: { labels: { w: value } } }),
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'moving', labels: { w: 'in' } } } });
    const lines = watch(
      'labelSelector=w%3Din&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
      `/api/v1/namespaces/${NS}/secrets`,
    );
    expect(await next(lines)).toMatchObject({ type: 'ADDED', object: { kind: 'Secret', metadata: { name: 'moving' } } });
    expect(await next(lines)).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    await label('out');
    const left = await next(lines);
    expect(left).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'moving' } } });
    await label('in');
    const back = await next(lines);
    expect(back.type).toBe('ADDED');
    expect(Number(back.object.metadata.resourceVersion)).toBeGreaterThan(Number(left.object.metadata.resourceVersion));
    await core.deleteNamespacedSecret({ name: 'moving', namespace: NS });
    expect((await next(lines)).type).toBe('DELETED');
    await lines.return(undefined);
  });

  it('resume where they were, without a gap', async () => {
    const { metadata } = await core.listNamespacedSecret({ namespace: NS });
    for (const name of ['r1', 'r2']) await core.createNamespacedSecret({ namespace: NS, body: { metadata: { name } } });
    const lines = watch(`resourceVersion=${metadata?.resourceVersion}`, `/api/v1/namespaces/${NS}/secrets`);
    expect([(await next(lines)).object.metadata.name, (await next(lines)).object.metadata.name]).toEqual(['r1', 'r2']);
    await lines.return(undefined);
  });

  it('have a bookmark soon, though nothing happens, and end when their time is up', async () => {
    const { metadata } = await core.listNamespacedSecret({ namespace: NS });
    const lines: Line[] = [];
    for await (const line of watch(
      `resourceVersion=${metadata?.resourceVersion}&allowWatchBookmarks=true&timeoutSeconds=2&fieldSelector=metadata.name=nothing`,
      `/api/v1/namespaces/${NS}/secrets`,
    ))
      lines.push(line);
    expect(lines.map(({ type }) => type)).toEqual(['BOOKMARK']);
    expect(Number(lines[0]?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(metadata?.resourceVersion));
  });

  it('say 410 Expired where their version is not known', async () => {
    const lines = watch('resourceVersion=999999999');
    expect(await next(lines)).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    expect((await lines.next()).done).toBe(true);
  });
});

describe('namespaces', () => {
  it('take their content with them, and nothing new while they go', async () => {
    await core.createNamespace({ body: { metadata: { name: 'leaving' } } });
    await core.createNamespacedSecret({ namespace: 'leaving', body: { metadata: { name: 'held', finalizers: ['berth.test/hold'] } } });
    expect(await core.deleteNamespace({ name: 'leaving' })).toMatchObject({ status: { phase: 'Terminating' } });
    expect(await refusal(core.createNamespacedSecret({ namespace: 'leaving', body: { metadata: { name: 'late' } } }))).toMatchObject({
      code: 403,
      message: 'secrets "late" is forbidden: unable to create new content in namespace leaving because it is being terminated',
      details: {
        causes: [{ reason: 'NamespaceTerminating', message: 'namespace leaving is being terminated', field: 'metadata.namespace' }],
      },
    });
    const held = await core.readNamespacedSecret({ name: 'held', namespace: 'leaving' });
    await core.replaceNamespacedSecret({
      name: 'held',
      namespace: 'leaving',
      body: { ...held, metadata: { ...held.metadata, finalizers: [] } },
    });
    await gone(() => core.readNamespace({ name: 'leaving' }));
    expect(await refusal(core.createNamespacedSecret({ namespace: 'leaving', body: { metadata: { name: 'later' } } }))).toMatchObject({
      code: 404,
      message: 'namespaces "leaving" not found',
    });
  });

  it('enforce their Pod Security level', async () => {
    await core.createNamespace({ body: { metadata: { name: 'hard', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } } });
    await untilPresent(() => core.readNamespacedServiceAccount({ name: 'default', namespace: 'hard' }));
    const status = await refusal(
      core.createNamespacedPod({ namespace: 'hard', body: { metadata: { name: 'soft' }, spec: { containers: [container()] } } }),
    );
    expect(status.code).toBe(403);
    expect(status.message).toContain(
      'pods "soft" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set',
    );
  });

  it('hold quotas, whose status follows, and limits, whose defaults are written into pods', async () => {
    await core.createNamespace({ body: { metadata: { name: 'small' } } });
    await untilPresent(() => core.readNamespacedServiceAccount({ name: 'default', namespace: 'small' }));
    await core.createNamespacedResourceQuota({
      namespace: 'small',
      body: { metadata: { name: 'q' }, spec: { hard: { pods: '1', 'requests.cpu': '1' } } },
    });
    const limits = { type: 'Container', _default: { cpu: '200m' }, defaultRequest: { cpu: '50m' }, max: { cpu: '1' } };
    await core.createNamespacedLimitRange({ namespace: 'small', body: { metadata: { name: 'l' }, spec: { limits: [limits] } } });
    const pod = (name: string, resources = {}): Promise<V1Pod> =>
      core.createNamespacedPod({ namespace: 'small', body: { metadata: { name }, spec: { containers: [container({ resources })] } } });
    expect((await refusal(pod('large', { limits: { cpu: '2' } }))).message).toBe(
      'pods "large" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
    );
    const first = await pod('first');
    expect(first.spec?.containers[0]?.resources).toEqual({ requests: { cpu: '50m' }, limits: { cpu: '200m' } });
    expect(first.metadata?.annotations).toEqual({
      'kubernetes.io/limit-ranger': 'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
    });
    expect((await refusal(pod('second'))).message).toBe(
      'pods "second" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    );
    const quota = await until(async () => {
      const { status } = await core.readNamespacedResourceQuota({ name: 'q', namespace: 'small' });
      return status?.used?.['pods'] === '1' ? status : undefined;
    });
    expect(quota).toEqual({ hard: { pods: '1', 'requests.cpu': '1' }, used: { pods: '1', 'requests.cpu': '50m' } });
  });
});

describe('claims', () => {
  it('wait for a pod, are bound for it, kept while it lives, and released with their volume', async () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } };
    const claim = await core.createNamespacedPersistentVolumeClaim({ namespace: NS, body: { metadata: { name: 'disk' }, spec } });
    expect(claim).toMatchObject({
      spec: { storageClassName: 'standard-rwo', resources: { requests: { storage: '1Gi' } } },
      status: { phase: 'Pending' },
    });
    await createPod('mounting', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'disk' } }] });
    const bound = await until(async () => {
      const read = await core.readNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS });
      return read.status?.phase === 'Bound' ? read : undefined;
    });
    const volume = `pvc-${claim.metadata?.uid}`;
    expect(bound).toMatchObject({ spec: { volumeName: volume }, status: { capacity: { storage: '1Gi' } } });
    await core.deleteNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS });
    expect((await core.readNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS })).metadata?.deletionTimestamp).toBeDefined();
    await core.deleteNamespacedPod({ name: 'mounting', namespace: NS });
    await gone(() => core.readNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS }));
    await gone(() => core.readPersistentVolume({ name: volume }));
  });

  it('may grow once they are bound, and never shrink', async () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    await core.createNamespacedPersistentVolumeClaim({ namespace: NS, body: { metadata: { name: 'growing' }, spec } });
    await createPod('grower', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'growing' } }] });
    const resize = (size: string): Promise<Response> =>
      call(`/api/v1/namespaces/${NS}/persistentvolumeclaims/growing`, {
        method: 'PATCH',
        body: JSON.stringify({ spec: { resources: { requests: { storage: size } } } }),
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await until(async () =>
      (await core.readNamespacedPersistentVolumeClaim({ name: 'growing', namespace: NS })).status?.phase === 'Bound' ? true : undefined,
    );
    expect((await resize('2Gi')).status).toBe(200);
    await until(async () =>
      (await core.readNamespacedPersistentVolumeClaim({ name: 'growing', namespace: NS })).status?.capacity?.['storage'] === '2Gi'
        ? true
        : undefined,
    );
    expect((await resize('1Gi')).status).toBe(422);
  });
});

describe('what is not served', () => {
  it.each([
    ['/apis/apps/v1/deployments', 'GET', 501],
    ['/api/v1/namespaces/work/configmaps', 'GET', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed/portforward`, 'POST', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed/attach`, 'POST', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed/nothing`, 'GET', 501],
    [`/api/v1/namespaces/${NS}/pods/fixed`, 'POST', 405],
    [`/api/v1/namespaces/${NS}/pods`, 'PUT', 405],
    ['/api/v1/nodes/x', 'DELETE', 405],
    ['/api/v1/namespaces', 'DELETE', 405],
  ])('%s by %s is refused with %i', async (path, method, code) => {
    const response = await call(path, { method });
    expect([response.status, (await json<V1Status>(response)).code]).toEqual([code, code]);
  });

  it('refuses bodies that are broken or larger than 3 MiB', async () => {
    const post = (body: string): Promise<Response> =>
      call(`/api/v1/namespaces/${NS}/secrets`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect((await post('{bad')).status).toBe(400);
    expect((await post(JSON.stringify({ metadata: { name: 'x' }, data: { a: 'a'.repeat(3 * 1024 * 1024) } }))).status).toBe(413);
  });
});

describe('other kinds', () => {
  it('have their own defaults', async () => {
    const policy = await networking.createNamespacedNetworkPolicy({
      namespace: NS,
      body: { metadata: { name: 'n' }, spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } },
    });
    expect(policy).toMatchObject({ spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }] } });
    const { items } = await storage.listStorageClass();
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(['premium-rwo', 'premium-rwx', 'standard-rwo', 'standard-rwx']);
  });
});

interface Exec {
  readonly socket: WebSocket;
  /** Bytes of the channels 1, 2 and 3, as text. */
  readonly channels: Record<number, string>;
  readonly closed: Promise<number>;
}

function exec(pod: string, command: readonly string[], flags: string, protocol = 'v5.channel.k8s.io'): Exec {
  const query = command.map((word) => `command=${encodeURIComponent(word)}`).join('&');
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/api/v1/namespaces/${NS}/pods/${pod}/exec?${query}&${flags}`, protocol, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const channels: Record<number, string> = {};
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1;
    channels[channel] = (channels[channel] ?? '') + data.subarray(1).toString();
  });
  // What goes wrong shows in the code, or in what has not arrived.
  socket.on('error', () => undefined);
  return { socket, channels, closed: new Promise((resolve) => socket.on('close', resolve)) };
}

describe('exec', () => {
  beforeAll(async () => {
    await createPod('shell');
    await createPod('unpulled', { containers: [container({ image: 'missing/image:1' })] });
    await createPod('pair', { containers: [container(), container({ name: 'd' })] });
    await until(async () =>
      (await core.readNamespacedPod({ name: 'shell', namespace: NS })).status?.phase === 'Running' ? true : undefined,
    );
  });

  it('keeps the streams apart and tells the exit code', async () => {
    const { channels, closed } = exec('shell', ['sh', '-c', 'echo out; echo err >&2; exit 3'], 'stdout=1&stderr=1');
    expect(await closed).toBe(1000);
    expect([channels[1], channels[2]]).toEqual(['out\n', 'err\n']);
    expect(JSON.parse(channels[3] ?? '')).toEqual({
      metadata: {},
      status: 'Failure',
      message: 'command terminated with non-zero exit code: command terminated with exit code 3',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
  });

  it('ends the input when v5 closes the channel', async () => {
    const { socket, channels, closed } = exec('shell', ['cat'], 'stdin=1&stdout=1');
    await once(socket, 'open');
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.from([255, 0]));
    await closed;
    expect([channels[1], JSON.parse(channels[3] ?? '')]).toEqual(['hello', { metadata: {}, status: 'Success' }]);
  });

  it('carries large input and output unharmed', async () => {
    const { socket, channels, closed } = exec(
      'shell',
      ['sh', '-c', 'wc -c; head -c 5000000 /dev/zero'],
      'stdin=1&stdout=1',
      'v5.channel.k8s.io',
    );
    await once(socket, 'open');
    for (let part = 0; part < 40; part += 1) socket.send(Buffer.alloc(131_073));
    socket.send(Buffer.from([255, 0]));
    await closed;
    expect(channels[1]?.split('\n')[0]?.trim()).toBe(String(40 * 131_072));
    expect(channels[1]?.split('\n')[1]?.length).toBe(5_000_000);
  });

  it('makes a process wait whose output nobody reads, and lets it go on with the reader', async () => {
    const size = 100_000_000;
    const marker = join(directory, 'all-written');
    const stalled = exec('shell', ['sh', '-c', `head -c ${size} /dev/zero; touch ${marker}`], 'stdout=1');
    let received = 0;
    stalled.socket.removeAllListeners('message');
    stalled.socket.on('message', (data: Buffer) => (received += data[0] === 1 ? data.length - 1 : 0));
    await once(stalled.socket, 'message');
    stalled.socket.pause();
    // Another one of the same size, begun later, is through: the first has had its time.
    const other = exec('shell', ['head', '-c', String(size), '/dev/zero'], 'stdout=1');
    other.socket.removeAllListeners('message');
    expect(await other.closed).toBe(1000);
    expect(existsSync(marker)).toBe(false);
    stalled.socket.resume();
    expect(await stalled.closed).toBe(1000);
    expect([received, existsSync(marker)]).toEqual([size, true]);
  });

  it('passes the size of a terminal on', async () => {
    const { socket, closed } = exec('shell', ['cat'], 'stdin=1&stdout=1&tty=1');
    await once(socket, 'open');
    socket.send(Buffer.from(`\x04${JSON.stringify({ Width: 120, Height: 40 })}`));
    socket.send(Buffer.from('\x04nonsense'));
    await until(async () => (node.resized.length > 0 ? true : undefined));
    expect(node.resized).toEqual([[120, 40]]);
    socket.send(Buffer.from([255, 0]));
    await closed;
  });

  it('speaks v4 too, with the words that come out there', async () => {
    const { socket, channels, closed } = exec('shell', ['sh', '-c', 'exit 1'], 'stdout=1', 'v4.channel.k8s.io');
    await closed;
    expect(socket.protocol).toBe('v4.channel.k8s.io');
    expect(JSON.parse(channels[3] ?? '').message).toBe(
      'command terminated with non-zero exit code: error executing command [sh -c exit 1], exit code 1',
    );
  });

  it('leaves the process running when the connection is cut, and ends its input', async () => {
    const marker = join(directory, 'after-the-cut');
    const { socket, channels } = exec('shell', ['sh', '-c', `echo up; cat >/dev/null; echo ended > ${marker}`], 'stdin=1&stdout=1');
    await until(async () => channels[1]);
    socket.terminate();
    expect(await untilPresent(() => readFile(marker, 'utf8').then((text) => text || Promise.reject(new Error('empty'))))).toBe('ended\n');
  });

  const refused: readonly (readonly [what: string, pod: string, flags: string, code: number, message: string])[] = [
    ['a missing pod', 'none', 'stdout=1', 404, 'pods "none" not found'],
    ['a container of another pod', 'shell', 'stdout=1&container=zz', 400, 'container zz is not valid for pod shell'],
    ['no choice of containers', 'pair', 'stdout=1', 400, 'a container name must be specified for pod pair, choose one of: [c d]'],
  ];
  it.each(refused)('is refused before the upgrade for %s', async (_what, pod, flags, code, message) => {
    const { socket } = exec(pod, ['true'], flags);
    const [, response] = await once(socket, 'unexpected-response');
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part);
    expect([response.statusCode, JSON.parse(Buffer.concat(parts).toString()).message]).toEqual([code, message]);
  });

  it('tells what the node refuses on the error channel, as a real API server does', async () => {
    const { channels, closed } = exec('unpulled', ['true'], 'stdout=1');
    await closed;
    expect(JSON.parse(channels[3] ?? '')).toMatchObject({
      status: 'Failure',
      code: 500,
      message: 'Internal error occurred: unable to upgrade connection: container not found ("c")',
    });
  });

  it('takes commands of several hundred KiB', async () => {
    const { channels, closed } = exec(
      'shell',
      ['sh', '-c', 'echo ${#1}', 'sh', 'x'.repeat(100_000), 'y'.repeat(100_000), 'z'.repeat(100_000)],
      'stdout=1',
    );
    await closed;
    expect(channels[1]).toBe('100000\n');
  });
});

describe('logs', () => {
  const log = (query: string, pod = 'shell'): Promise<Response> => call(`/api/v1/namespaces/${NS}/pods/${pod}/log?${query}`);

  it('are passed on, from the end where that is asked for', async () => {
    expect(await (await log('')).text()).toBe('one\ntwo\nthree\n');
    expect(await (await log('tailLines=1&timestamps=true')).text()).toBe('2026-01-01T00:00:00Z three\n');
  });

  it('are followed until the reader goes', async () => {
    const abort = new AbortController();
    const response = await call(`/api/v1/namespaces/${NS}/pods/shell/log?follow=true&tailLines=1`, { signal: abort.signal });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('three\n');
    abort.abort();
    await expect(reader?.read()).rejects.toThrow();
  });

  it.each([
    ['tailLines=-1', 'shell', 422, 'PodLogOptions "shell" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['sinceSeconds=0', 'shell', 422, 'PodLogOptions "shell" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'],
    ['tailLines=abc', 'shell', 400, 'strconv.ParseInt: parsing "abc": invalid syntax'],
    ['previous=true', 'shell', 400, 'previous terminated container "c" in pod "shell" not found'],
    ['container=zz', 'shell', 400, 'container zz is not valid for pod shell'],
    ['', 'unpulled', 400, 'container "c" in pod "unpulled" is waiting to start: image can\'t be pulled'],
    ['', 'none', 404, 'pods "none" not found'],
  ])('with %j of %s are refused with %i', async (query, pod, code, message) => {
    const response = await log(query, pod);
    expect([response.status, (await json<V1Status>(response)).message]).toEqual([code, message]);
  });
});
