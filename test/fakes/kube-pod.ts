/**
 * One pod at the API server of `kube-server.ts`, for what opens ways to it.
 *
 * @module
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectKubernetes } from '../../shared/kubernetes/client.ts';
import type { Kubernetes } from '../../shared/kubernetes/port.ts';
import type { PodTarget } from '../../shared/helper/port.ts';
import { doorSecret } from './helper-door.ts';
import { startKubeServer, type KubeServerOptions } from './kube-server.ts';

export const target: PodTarget = {
  sessionId: 's',
  generation: 1,
  podUid: 'uid-1',
  namespace: 'n',
  pod: 'p',
  container: 'session',
  delivery: 'upload',
  secret: doorSecret,
};

export const runningPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid: 'uid-1' },
  status: { podIP: '127.0.0.1', containerStatuses: [{ name: 'session', state: { running: {} } }] },
};

export interface PodServer extends AsyncDisposable {
  readonly kubernetes: () => Promise<Kubernetes>;
}

/** `pod` is what a read answers; `undefined`: 404. */
export async function servePod(pod: object | undefined, options: KubeServerOptions = {}): Promise<PodServer> {
  const server = await startKubeServer({
    onRequest: (_request, response) => {
      const answer = pod ?? { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound', message: 'pods "p" not found' };
      response.writeHead(pod === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    },
    ...options,
  });
  const directory = await mkdtemp(join(tmpdir(), 'berth-pod-'));
  const file = join(directory, 'kubeconfig');
  const config = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: server.url } }],
    users: [{ name: 'x', user: { token: 't' } }],
  };
  await writeFile(file, JSON.stringify(config));
  const kubernetes = await connectKubernetes({ type: 'kubeconfig', file });
  await rm(directory, { recursive: true });
  return {
    kubernetes: async () => kubernetes,
    async [Symbol.asyncDispose]() {
      await kubernetes.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
