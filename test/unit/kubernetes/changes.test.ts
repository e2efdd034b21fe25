import type { ServerResponse } from 'node:http';
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { listMetadata, metadataOf } from '../../../shared/kubernetes/metadata.ts';
import { createTransport } from '../../../shared/kubernetes/transport.ts';
import { readChanges } from '../../../shared/kubernetes/watch.ts';
import { startKubeServer, type KubeServer } from '../../fakes/kube-server.ts';

type Reply = (response: ServerResponse) => void;

async function answering(reply: Reply): Promise<KubeServer & { readonly requests: { url: URL; accept: string | undefined }[] }> {
  const requests: { url: URL; accept: string | undefined }[] = [];
  const server = await startKubeServer({
    onRequest: (request, response) => {
      requests.push({ url: new URL(request.url ?? '', 'http://x'), accept: request.headers.accept });
      reply(response);
    },
  });
  return Object.assign(server, { requests });
}

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const pod = (name: string, resourceVersion: string): V1Pod => ({ metadata: { name, resourceVersion } });

async function changes(server: KubeServer): Promise<string[]> {
  const transport = createTransport(server.endpoint);
  const said: string[] = [];
  try {
    const options = { path: '/api/v1/pods', labelSelector: 'x=y', resourceVersion: '10', seconds: 3 };
    for await (const event of readChanges<V1Pod>(transport, options)) {
      said.push(event.type === 'BOOKMARK' ? `BOOKMARK ${event.resourceVersion}` : `${event.type} ${event.object.metadata?.name ?? ''}`);
    }
    return said;
  } finally {
    await transport.close();
  }
}

describe('changes since a version', () => {
  test('are one request, which the server ends', async () => {
    const lines = [line('ADDED', pod('a', '11')), line('BOOKMARK', { metadata: { resourceVersion: '15' } })];
    await using server = await answering((response) => void response.end(lines.join('')));
    expect(await changes(server)).toEqual(['ADDED a', 'BOOKMARK 15']);
    expect(server.requests.map(({ url }) => Object.fromEntries(url.searchParams))).toEqual([
      { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '10', timeoutSeconds: '3', labelSelector: 'x=y' },
    ]);
  });

  const gone = { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old resource version' };
  test.each<[string, Reply]>([
    ['as the answer', (response) => void response.writeHead(410).end(JSON.stringify(gone))],
    ['in the stream', (response) => void response.end(line('ERROR', gone))],
  ])('that the server has forgotten are refused: %s', async (_where, reply) => {
    await using server = await answering(reply);
    await expect(changes(server)).rejects.toMatchObject({ status: { code: 410 } });
    expect(server.requests).toHaveLength(1);
  });

  test.each<[string, Reply]>([
    ['is cut', (response) => void response.write(line('ADDED', pod('a', '11')), () => response.destroy())],
    ['is garbage', (response) => void response.end('<html>\n')],
    ['breaks off', (response) => void response.end(line('ERROR', { code: 500, message: 'etcd' }))],
  ])('that cannot be read because the answer %s are for another time', async (_what, reply) => {
    await using server = await answering(reply);
    await expect(changes(server)).rejects.toMatchObject({ name: 'KubernetesUnreachable' });
  });
});

describe('a list of metadata', () => {
  const item = { metadata: { name: 'a', uid: 'u', creationTimestamp: '2026-03-01T12:00:00Z', ownerReferences: [{}] } };
  const answer = { metadata: { resourceVersion: '7', continue: '' }, items: [item] };

  test('is asked for as such, and needs nothing but what every object has', async () => {
    await using server = await answering((response) => void response.end(JSON.stringify(answer)));
    const transport = createTransport(server.endpoint);
    const page = await listMetadata(transport, { path: '/api/v1/pods', limit: 5, continue: 'next' });
    await transport.close();
    expect(page).toEqual({
      resourceVersion: '7',
      items: [
        {
          name: 'a',
          namespace: '',
          uid: 'u',
          labels: {},
          annotations: {},
          createdAt: '2026-03-01T12:00:00Z',
          deletedAt: null,
          isOwned: true,
        },
      ],
    });
    expect(server.requests[0]?.accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
    expect(server.requests[0]?.url.search).toBe('?limit=5&continue=next');
  });

  test('that is refused says so', async () => {
    await using server = await answering((response) => void response.writeHead(403).end('{"reason":"Forbidden","message":"no"}'));
    const transport = createTransport(server.endpoint);
    await expect(listMetadata(transport, { path: '/api/v1/pods', limit: 5 })).rejects.toMatchObject({
      status: { code: 403, message: 'no' },
    });
    await transport.close();
  });

  test('has times as text, also where the library has made dates of them', () => {
    const created = new Date('2026-03-01T12:00:00Z');
    const metadata = { name: 'a', uid: 'u', creationTimestamp: created, deletionTimestamp: created };
    expect(metadataOf({ metadata })).toMatchObject({ createdAt: '2026-03-01T12:00:00.000Z', deletedAt: '2026-03-01T12:00:00.000Z' });
  });
});
