/** What only the blobs in Cloud Storage have to do by themselves, against a server that does as the test says. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCloudStorageBlobs } from '../../shared/blobs/cloud-storage.ts';
import { readAll, refusal } from './blobs-fixture.ts';

/** The bodies that are still there, by generation, and which generation each look at the metadata tells of. */
let bodies: Readonly<Record<string, string>> = {};
let told: string[] = [];
let server: Server;
const before = process.env['STORAGE_EMULATOR_HOST'];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://storage');
    const isBody = url.searchParams.get('alt') === 'media';
    const generation = isBody ? url.searchParams.get('generation') : told.shift();
    const body = bodies[generation ?? ''];
    if (generation === undefined || (isBody && body === undefined)) return void response.writeHead(404).end('gone');
    if (isBody) return void response.writeHead(200, { 'content-type': 'text/plain' }).end(body);
    const metadata = { name: 'a', generation, size: '3', contentType: 'text/plain', updated: '2026-03-01T12:00:00.000Z' };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env['STORAGE_EMULATOR_HOST'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  if (before === undefined) delete process.env['STORAGE_EMULATOR_HOST'];
  else process.env['STORAGE_EMULATOR_HOST'] = before;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

it('reads the next version where one is replaced between the look at it and the reading', async () => {
  const blobs = openCloudStorageBlobs({ bucket: 'b', project: 'p' });
  bodies = { '2': 'new' };
  told = ['1', '2'];
  const { body } = await blobs.get('a');
  expect((await readAll(body)).toString()).toBe('new');
  expect(told).toEqual([]);
});

it('says not_found where it is deleted in between, and where it is replaced each time', async () => {
  const blobs = openCloudStorageBlobs({ bucket: 'b', project: 'p' });
  bodies = {};
  told = ['1'];
  await expect(blobs.get('a')).rejects.toMatchObject(refusal('not_found'));
  told = ['1', '2', '3'];
  await expect(blobs.get('a')).rejects.toMatchObject(refusal('not_found'));
  expect(told).toEqual(['3']);
});
