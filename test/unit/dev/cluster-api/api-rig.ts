/**
 * An API server with controllers and a fake node, for one test file.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiException, CoreV1Api, KubeConfig, NetworkingV1Api, StorageV1Api } from '@kubernetes/client-node';
import type { V1Pod, V1Status } from '@kubernetes/client-node';
import { kubeconfig, openObjects, startApiServer, startControllers } from '../../../../dev/cluster/api/index.ts';
import { startFakeNode } from './fake-node.ts';
import type { FakeNode } from './fake-node.ts';

export const TOKEN = 'a-token-of-this-test';
/** A namespace that exists, with its `default` account. */
export const NS = 'work';

const CAPABILITIES = {
  sandbox: false,
  pidNamespace: false,
  networkPolicy: false,
  memoryLimit: false,
  registry: false,
  emptyImages: false,
  memoryVolumes: false,
};

export interface ApiRig {
  readonly url: string;
  readonly directory: string;
  readonly node: FakeNode;
  readonly core: CoreV1Api;
  readonly networking: NetworkingV1Api;
  readonly storage: StorageV1Api;
  /** A plain request with the token, unless it brings its own `authorization`. */
  call(path: string, init?: RequestInit): Promise<Response>;
  createPod(name: string, spec?: Partial<PodSpec>, metadata?: V1Pod['metadata'] & object): Promise<V1Pod>;
  stop(): Promise<void>;
}

type PodSpec = V1Pod['spec'] & object;

export async function startApiRig(): Promise<ApiRig> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-api-'));
  const objects = openObjects(join(directory, 'objects.db'));
  const node = startFakeNode(objects);
  const controllers = startControllers(objects, { capabilities: CAPABILITIES });
  const api = await startApiServer({ objects, node: () => node, tokens: [TOKEN] });
  const config = new KubeConfig();
  config.loadFromString(kubeconfig(api.url, TOKEN));
  const core = config.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: NS } } });
  await untilPresent(() => core.readNamespacedServiceAccount({ name: 'default', namespace: NS }));
  return {
    url: api.url,
    directory,
    node,
    core,
    networking: config.makeApiClient(NetworkingV1Api),
    storage: config.makeApiClient(StorageV1Api),
    call(path, init = {}) {
      const headers = new Headers(init.headers);
      if (!headers.has('authorization')) headers.set('authorization', `Bearer ${TOKEN}`);
      return fetch(`${api.url}${path}`, { ...init, headers });
    },
    createPod: (name, spec = {}, metadata = {}) =>
      core.createNamespacedPod({ namespace: NS, body: { metadata: { ...metadata, name }, spec: { containers: [container()], ...spec } } }),
    async stop() {
      node.killAll();
      controllers.close();
      await api.close();
      objects.close();
      rmSync(directory, { recursive: true });
    },
  };
}

export function container(more: object = {}): { name: string; image: string } {
  return { name: 'c', image: 'busybox:1.36', ...more };
}

/** The `Status` of a refusal. */
export async function refusal(request: Promise<unknown>): Promise<V1Status> {
  const error: unknown = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiException)) throw new Error('the request was not refused', { cause: error });
  return JSON.parse(String(error.body)) as V1Status;
}

export async function json<T>(response: Promise<Response> | Response): Promise<T> {
  return (await (await response).json()) as T;
}

/** Asks until there is an answer; for at most five seconds. */
export async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 5000;
  while (Date.now() < deadline) {
    const value = await read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not happen within five seconds');
}

export function untilPresent<T>(read: () => Promise<T>): Promise<T> {
  return until(() => read().catch(() => undefined));
}

export function untilGone(read: () => Promise<unknown>): Promise<true> {
  return until(async () => {
    const answer = await read().then(
      () => 'there',
      () => 'gone',
    );
    return answer === 'gone' ? true : undefined;
  });
}
