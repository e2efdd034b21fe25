/**
 * How `npm start` finds, takes over, loses and ends the embedded cluster's process.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachCluster, type AttachedCluster } from '../../dev/cluster/attach.ts';
import { createControlServer } from '../../dev/cluster/control.ts';
import { readEndpoint, writeEndpoint, type Endpoint } from '../../dev/cluster/endpoint.ts';
import { processesUsing } from '../fakes/processes.ts';

let directory: string;
let clusters: AttachedCluster[];
let servers: Server[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-attach-'));
  clusters = [];
  servers = [];
});

afterEach(async () => {
  for (const cluster of clusters) await cluster.end();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  expect(await processesUsing(directory)).toEqual([]);
  await rm(directory, { recursive: true, force: true });
});

async function attach(images: readonly string[] = []): Promise<AttachedCluster> {
  const cluster = await attachCluster({ directory, images, runtime: 'auto' });
  clusters.push(cluster);
  return cluster;
}

function endpoint(): Endpoint {
  const found = readEndpoint(directory);
  if (found === undefined) throw new Error('no endpoint');
  return found;
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a killed cluster leaves behind when something else has got its port since. */
async function leaveEndpoint(server: Server): Promise<void> {
  writeEndpoint(directory, {
    pid: 2 ** 30,
    control: await listen(server),
    controlToken: 'token',
    instance: 'instance',
    options: { images: [], runtime: 'auto' },
    kubeconfig: join(directory, 'kubeconfig'),
    capabilities: {
      sandbox: true,
      pidNamespace: true,
      networkPolicy: false,
      memoryLimit: true,
      registry: false,
      emptyImages: true,
      memoryVolumes: true,
    },
    warnings: [],
  });
}

describe('an attached cluster', () => {
  it('is told as lost when it is killed, and has ended then', async () => {
    const cluster = await attach();
    process.kill(endpoint().pid, 'SIGKILL');
    await cluster.lost;
    await expect(cluster.end()).resolves.toBeUndefined();
  });

  it('is not lost when it was asked to end', async () => {
    const cluster = await attach();
    let lost = false;
    void cluster.lost.then(() => (lost = true));
    await cluster.end();
    await expect.poll(() => processesUsing(directory)).toEqual([]);
    expect(lost).toBe(false);
  });

  it('is taken over while it runs as it is wanted', async () => {
    const first = await attach(['example.com/b:1', 'example.com/a:1']);
    expect(first.origin).toBe('started');
    const { pid } = endpoint();
    expect((await attach(['example.com/a:1', 'example.com/b:1'])).origin).toBe('adopted');
    expect(endpoint().pid).toBe(pid);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
  });

  it('is ended and started anew where other images are wanted', async () => {
    const before = await attach();
    before.release();
    const { pid } = endpoint();
    expect((await attach(['example.com/a:1'])).origin).toBe('replaced');
    expect(endpoint()).toMatchObject({ options: { images: ['example.com/a:1'] } });
    expect(endpoint().pid).not.toBe(pid);
    expect(await processesUsing(directory)).toHaveLength(1);
  });

  it('is not mistaken for another server on its old port', async () => {
    await leaveEndpoint(createServer((_request, response) => response.writeHead(200).flushHeaders()));
    expect((await attach()).origin).toBe('started');
  });

  it('is not waited for where its old port accepts and never answers', async () => {
    await leaveEndpoint(createServer(() => {}));
    expect((await attach()).origin).toBe('started');
  });
});

describe('a cluster that is ending', () => {
  it('lets nobody hold it any more', async () => {
    const gone = Promise.withResolvers<void>();
    const url = await listen(createControlServer({ token: 'token', instance: 'instance', onEnd: () => gone.promise }));
    const headers = { authorization: 'Bearer token' };
    const held = await fetch(`${url}/lifeline`, { headers });
    expect(held.status).toBe(200);
    const ended = fetch(`${url}/end`, { method: 'POST', headers });
    await expect.poll(async () => (await fetch(`${url}/lifeline`, { headers })).status).toBe(503);
    gone.resolve();
    expect((await ended).status).toBe(204);
    await held.body?.cancel();
  });
});
