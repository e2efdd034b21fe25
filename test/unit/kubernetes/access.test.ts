import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAccess } from '../../../shared/kubernetes/access.ts';
import type { AccessToken, GkeAccess } from '../../../shared/kubernetes/access-gke.ts';
import { startKubeServer } from '../../fakes/kube-server.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-access-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(name: string, content: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, content);
  return file;
}

async function kubeconfig(user: object, cluster: object = { server: 'https://10.0.0.1:6443' }): Promise<string> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'main',
    contexts: [{ name: 'main', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
  };
  return write('kubeconfig', JSON.stringify(config));
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a kubeconfig', () => {
  test('with a client certificate gives TLS material and no headers', async () => {
    const file = await kubeconfig(
      { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') },
      { server: 'https://10.0.0.1:6443/', 'certificate-authority-data': base64('ca'), 'tls-server-name': 'kubernetes' },
    );
    const endpoint = await openAccess({ type: 'kubeconfig', file });
    expect(endpoint.server).toBe('https://10.0.0.1:6443');
    expect(endpoint.tls).toEqual({ ca: Buffer.from('ca'), cert: Buffer.from('cert'), key: Buffer.from('key'), servername: 'kubernetes' });
    expect(await endpoint.headers()).toEqual({});
  });

  test('may name its certificates by files beside it', async () => {
    await write('ca.pem', 'ca');
    const endpoint = await openAccess({
      type: 'kubeconfig',
      file: await kubeconfig({}, { server: 'https://x', 'certificate-authority': 'ca.pem' }),
    });
    expect(endpoint.tls).toEqual({ ca: Buffer.from('ca') });
  });

  test('with a token sends it', async () => {
    const endpoint = await openAccess({ type: 'kubeconfig', file: await kubeconfig({ token: 't0ken' }) });
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer t0ken' });
  });

  test('with a token file reads it again when the server refuses', async () => {
    await write('token', 'first\n');
    const endpoint = await openAccess({ type: 'kubeconfig', file: await kubeconfig({ tokenFile: 'token' }) });
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer first' });
    await write('token', 'second\n');
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer first' });
    endpoint.expireHeaders();
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer second' });
  });

  test('with a plugin runs it once for many callers, and again when the server refuses', async () => {
    const count = join(directory, 'count');
    const plugin = await write(
      'plugin',
      `#!/bin/sh\necho x >> '${count}'\nprintf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"run-%s"}}' "$(wc -l < '${count}' | tr -d ' ')"\n`,
    );
    await chmod(plugin, 0o755);
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, args: [], interactiveMode: 'Never' };
    const endpoint = await openAccess({ type: 'kubeconfig', file: await kubeconfig({ exec }) });
    const headers = await Promise.all(Array.from({ length: 20 }, () => endpoint.headers()));
    expect(new Set(headers.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer run-1']));
    endpoint.expireHeaders();
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer run-2' });
  });

  test('with a name and a password sends both', async () => {
    const endpoint = await openAccess({ type: 'kubeconfig', file: await kubeconfig({ username: 'a', password: 'b' }) });
    expect(await endpoint.headers()).toEqual({ authorization: `Basic ${base64('a:b')}` });
  });

  test('may speak plain HTTP', async () => {
    const endpoint = await openAccess({ type: 'kubeconfig', file: await kubeconfig({ token: 't' }, { server: 'http://127.0.0.1:1' }) });
    expect([endpoint.server, await endpoint.headers()]).toEqual(['http://127.0.0.1:1', { authorization: 'Bearer t' }]);
  });

  test.each([
    ['names no such context', { context: 'other' }, {}, 'no context "other"'],
    ['asks for a proxy', {}, { 'proxy-url': 'http://proxy' }, 'proxy-url'],
  ])('is refused where it %s', async (_what, access, cluster, words) => {
    const file = await kubeconfig({}, { server: 'https://x', ...cluster });
    await expect(openAccess({ type: 'kubeconfig', file, ...access })).rejects.toThrow(words);
  });

  test('that does not exist is an error, whatever KUBECONFIG says', async () => {
    const inherited = process.env['KUBECONFIG'];
    process.env['KUBECONFIG'] = await kubeconfig({ token: 'inherited' });
    try {
      await expect(openAccess({ type: 'kubeconfig', file: join(directory, 'none') })).rejects.toThrow('ENOENT');
    } finally {
      if (inherited === undefined) delete process.env['KUBECONFIG'];
      else process.env['KUBECONFIG'] = inherited;
    }
  });
});

describe('from within the cluster', () => {
  test("the pod's service account proves us, and is read again when refused", async () => {
    await write('ca.crt', 'ca');
    await write('token', 'first\n');
    const endpoint = await openAccess({ type: 'in-cluster', directory });
    expect([endpoint.server, endpoint.tls]).toEqual(['https://kubernetes.default.svc', { ca: Buffer.from('ca') }]);
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer first' });
    await write('token', 'second\n');
    endpoint.expireHeaders();
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer second' });
  });
});

describe('a GKE cluster', () => {
  const described = {
    endpoint: '203.0.113.5',
    masterAuth: { clusterCaCertificate: base64('ca') },
    controlPlaneEndpointsConfig: { dnsEndpointConfig: { endpoint: 'gke-1.europe-west1.gke.goog' } },
  };

  function access(containerApi: string, more: Partial<GkeAccess> = {}): GkeAccess {
    let tokens = 0;
    const accessToken = async (): Promise<AccessToken> => ({ token: `t${String((tokens += 1))}`, expiresAt: Date.now() + 3_600_000 });
    return { type: 'gke', project: 'p', location: 'europe-west1', name: 'berth', containerApi, accessToken, ...more };
  }

  test('is looked up by our own token, and trusted by its own CA', async () => {
    const asked: unknown[] = [];
    await using api = await startKubeServer({
      onRequest: (request, response) => {
        asked.push(request.headers.authorization, request.url?.split('?')[0]);
        response.end(JSON.stringify(described));
      },
    });
    const endpoint = await openAccess(access(api.url));
    expect(asked).toEqual(['Bearer t1', '/v1/projects/p/locations/europe-west1/clusters/berth']);
    expect([endpoint.server, endpoint.tls]).toEqual(['https://203.0.113.5', { ca: Buffer.from('ca') }]);
    expect(await endpoint.headers()).toEqual({ authorization: 'Bearer t1' });
  });

  test('by its DNS endpoint is trusted as any public server', async () => {
    await using api = await startKubeServer({ onRequest: (_request, response) => void response.end(JSON.stringify(described)) });
    const endpoint = await openAccess(access(api.url, { endpoint: 'dns' }));
    expect([endpoint.server, endpoint.tls]).toEqual(['https://gke-1.europe-west1.gke.goog', {}]);
  });

  test('is asked once more with a fresh token where the first was refused', async () => {
    await using api = await startKubeServer({
      onRequest: (request, response) =>
        void response.writeHead(request.headers.authorization === 'Bearer t1' ? 401 : 200).end(JSON.stringify(described)),
    });
    expect((await openAccess(access(api.url))).server).toBe('https://203.0.113.5');
  });

  test('that may not be seen says so in the words of the GKE API', async () => {
    await using api = await startKubeServer({
      onRequest: (_request, response) => void response.writeHead(403).end('Required "container.clusters.get" permission'),
    });
    await expect(openAccess(access(api.url))).rejects.toThrow('Required "container.clusters.get" permission');
  });

  test.each([
    ['has no address yet', {}, {}, 'no address yet'],
    ['has no DNS endpoint', { endpoint: '203.0.113.5' }, { endpoint: 'dns' as const }, 'no DNS endpoint'],
  ])('is refused where it %s', async (_what, answer, more, words) => {
    await using api = await startKubeServer({ onRequest: (_request, response) => void response.end(JSON.stringify(answer)) });
    await expect(openAccess(access(api.url, more))).rejects.toThrow(words);
  });
});
