import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dispatcher } from 'undici';
import { callOptions } from '../../../shared/kubernetes/call-options.ts';
import { connectKubernetes } from '../../../shared/kubernetes/client.ts';
import { KubernetesUnreachable, isNotFound, statusOf } from '../../../shared/kubernetes/errors.ts';
import type { Kubernetes } from '../../../shared/kubernetes/port.ts';
import type { TransportOptions } from '../../../shared/kubernetes/transport.ts';
import { startKubeServer, type KubeServer } from '../../fakes/kube-server.ts';

const pod = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z' } });

function json(response: ServerResponse, body: string, code = 200): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(body);
}

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-client-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function connect(server: KubeServer, options: TransportOptions = {}): Promise<Kubernetes> {
  const file = join(directory, 'kubeconfig');
  const config = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: server.url } }],
    users: [{ name: 'x', user: { token: 't' } }],
  };
  await writeFile(file, JSON.stringify(config));
  return connectKubernetes({ type: 'kubeconfig', file }, options);
}

async function withServer(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  use: (kubernetes: Kubernetes, server: KubeServer) => Promise<void>,
): Promise<void> {
  await using server = await startKubeServer({ onRequest });
  const kubernetes = await connect(server);
  await use(kubernetes, server);
  await kubernetes.close();
}

const read = (kubernetes: Kubernetes, signal?: AbortSignal) =>
  kubernetes.core.readNamespacedPod({ name: 'p', namespace: 'n' }, signal === undefined ? undefined : callOptions({ signal }));

describe('typed calls', () => {
  test('share a connection, carry our credentials, and give typed objects', async () => {
    const seen: unknown[] = [];
    await withServer(
      (request, response) => {
        seen.push([request.method, request.url, request.headers.authorization]);
        json(response, pod);
      },
      async (kubernetes, server) => {
        for (let index = 0; index < 10; index += 1)
          expect((await read(kubernetes)).metadata?.creationTimestamp).toEqual(new Date('2026-01-01'));
        // undici opens a second one where the first is not quite free yet.
        expect(server.connections).toBeLessThanOrEqual(2);
        expect(seen[0]).toEqual(['GET', '/api/v1/namespaces/n/pods/p', 'Bearer t']);
      },
    );
  });

  test('send their bodies, and a patch of the type that was asked for', async () => {
    const seen: unknown[] = [];
    await withServer(
      (request, response) =>
        void text(request).then((body) => {
          seen.push([request.method, request.headers['content-type'], body]);
          json(response, pod);
        }),
      async ({ core }) => {
        await core.createNamespacedPod({ namespace: 'n', body: { metadata: { name: 'ä' } } });
        await core.patchNamespacedPod({ name: 'p', namespace: 'n', body: { metadata: {} } }, callOptions({ patch: 'merge' }));
        expect(seen).toEqual([
          ['POST', 'application/json', '{"metadata":{"name":"ä"}}'],
          ['PATCH', 'application/merge-patch+json', '{"metadata":{}}'],
        ]);
      },
    );
  });

  test('read text that is not JSON as it is', async () => {
    await withServer(
      (_request, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('line 1\nzwölf\n'),
      async ({ core }) => expect(await core.readNamespacedPodLog({ name: 'p', namespace: 'n' })).toBe('line 1\nzwölf\n'),
    );
  });

  test('fail with the answer of the server', async () => {
    await withServer(
      (_request, response) =>
        json(response, JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', message: 'pods "p" not found' }), 404),
      async (kubernetes) => {
        const error: unknown = await read(kubernetes).catch((caught: unknown) => caught);
        expect(isNotFound(error)).toBe(true);
        expect(statusOf(error)?.message).toBe('pods "p" not found');
      },
    );
  });

  test('are sent again, once, after a 401: nothing was done', async () => {
    let requests = 0;
    await withServer(
      (request, response) => {
        requests += 1;
        request.resume();
        json(response, pod, requests === 1 ? 401 : 200);
      },
      async ({ core }) => {
        await core.createNamespacedPod({ namespace: 'n', body: {} });
        expect(requests).toBe(2);
      },
    );
  });

  test('that read are sent again when a kept connection turns out closed; those that write are not', async () => {
    const seen: unknown[] = [];
    await withServer(
      (request, response) => {
        seen.push(request.method);
        if (seen.length === 2) json(response, pod);
        else response.destroy();
      },
      async (kubernetes) => {
        await read(kubernetes);
        await expect(kubernetes.core.createNamespacedPod({ namespace: 'n', body: {} })).rejects.toThrow(KubernetesUnreachable);
        expect(seen).toEqual(['GET', 'GET', 'POST']);
      },
    );
  });

  test('end when the caller gives up, with its reason', async () => {
    const abort = new AbortController();
    await withServer(
      () => abort.abort(new Error('enough')),
      async (kubernetes) => void (await expect(read(kubernetes, abort.signal)).rejects.toThrow('enough')),
    );
  });

  test('are unreachable where nobody listens', async () => {
    const server = await startKubeServer({});
    const kubernetes = await connect(server);
    await server[Symbol.asyncDispose]();
    await expect(read(kubernetes)).rejects.toThrow(KubernetesUnreachable);
    await kubernetes.close();
  });
});

test('an interceptor sees every request, and can make it fail', async () => {
  await using server = await startKubeServer({ onRequest: (_request, response) => json(response, pod) });
  const methods: string[] = [];
  const interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
    methods.push(options.method);
    if (options.method === 'DELETE') throw new Error('injected');
    return dispatch(options, handler);
  };
  const kubernetes = await connect(server, { interceptors: [interceptor] });
  await read(kubernetes);
  await expect(kubernetes.core.deleteNamespacedPod({ name: 'p', namespace: 'n' })).rejects.toThrow(KubernetesUnreachable);
  expect(methods).toEqual(['GET', 'DELETE']);
  await kubernetes.close();
});
