/**
 * Deliveries of webhooks to a real server on this machine.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../shared/documents/database.ts';
import { type DocumentStore, StoreError } from '../../shared/documents/port.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import { deliverWebhook } from '../../shared/webhooks/deliver.ts';
import { createWebhook } from '../../shared/webhooks/manage.ts';
import type { WebhookDocument } from '../../shared/webhooks/model.ts';
import { ForbiddenAddressError, send, type Resolve } from '../../shared/webhooks/send.ts';
import { testNow } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let receiver: Server;
let origin: string;
let port: number;
let received: Received[] = [];
let answer: (response: ServerResponse) => void = (response) => response.end('ok');

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push({ method: request.method, url: request.url, headers: request.headers, body });
      answer(response);
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  ({ port } = receiver.address() as AddressInfo);
  origin = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await once(receiver, 'close');
});
beforeEach(() => {
  received = [];
  answer = (response) => response.end('ok');
});

const event = {
  id: 'd1',
  type: 'session.running',
  created_at: testNow.toISOString(),
  session: { id: 's1', user: 'alice', status: 'running' },
};

const caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' } as const;

describe('a delivery', () => {
  let deps: StoreDeps;
  let now = testNow;
  let hook: WebhookDocument;
  let secret: string;
  const closers: (() => Promise<void> | void)[] = [];

  beforeEach(async () => {
    now = testNow;
    const folder = mkdtempSync(join(tmpdir(), 'berth-webhooks-'));
    const database = openDatabase(join(folder, 'berth.db'));
    const store = openSqlite({ database });
    closers.push(
      () => store.close(),
      () => database.close(),
      () => rmSync(folder, { recursive: true }),
    );
    deps = storeDeps(store, { env: { BERTH_WEBHOOKS_ALLOW_PRIVATE: '1' }, now: () => now });
    const made = await createWebhook(deps, caller, { url: `${origin}/hook?x=1` });
    hook = made.webhook;
    secret = made.secret.reveal();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  const payload = (given: object = event): object => ({ webhook_id: hook.id, enqueued_at: testNow.toISOString(), event: given });
  const deliver = (given?: object): Promise<void> => deliverWebhook(deps, payload(given));
  const results = async (): Promise<WebhookDocument['deliveries']> =>
    (await deps.store.get<WebhookDocument>({ collection: 'webhooks', id: hook.id }))?.data.deliveries ?? [];

  it('is a POST of the event, signed with the secret that was shown once', async () => {
    await deliver();
    expect(received).toHaveLength(1);
    const [{ method, url, headers, body }] = received as [Received];
    expect([method, url]).toEqual(['POST', '/hook?x=1']);
    expect(JSON.parse(body)).toEqual(event);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'berth-event': 'session.running', 'berth-delivery': 'd1' });
    const seconds = Math.floor(testNow.getTime() / 1000);
    const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
    expect(headers['berth-signature']).toBe(`t=${seconds},v1=${digest}`);
    expect(await results()).toMatchObject([{ id: 'd1', event: 'session.running', status: 200, error: null }]);
  });

  it('stores no secret, and none that the store alone could be used to make', async () => {
    const stored = await deps.store.get<WebhookDocument>({ collection: 'webhooks', id: hook.id });
    expect(JSON.stringify(stored?.data)).not.toContain(secret);
    expect(Object.keys(stored?.data.secret ?? {})).toEqual(['key_id', 'nonce']);
  });

  it('follows no redirect', async () => {
    answer = (response) => response.writeHead(302, { location: `${origin}/elsewhere` }).end();
    await expect(deliver()).rejects.toMatchObject({ code: 'webhook_failed' });
    expect(received.map(({ url }) => url)).toEqual(['/hook?x=1']);
    expect(await results()).toMatchObject([{ status: 302, error: 'it answered 302' }]);
  });

  it('comes again after a failure, and keeps the newest twenty results', async () => {
    answer = (response) => response.writeHead(500).end('broken');
    for (let n = 0; n < 21; n += 1) {
      now = new Date(testNow.getTime() + n * 1_000);
      await expect(deliver({ ...event, id: `d${n}` })).rejects.toMatchObject({ code: 'webhook_failed' });
    }
    answer = (response) => response.end();
    await deliver({ ...event, id: 'last' });
    const kept = await results();
    expect(kept).toHaveLength(20);
    expect(kept.map(({ id }) => id).slice(0, 2)).toEqual(['last', 'd20']);
    expect(kept[1]).toMatchObject({ status: 500, error: 'it answered 500' });
  });

  it('writes down one of those that end alike within a second, and each that ends otherwise', async () => {
    for (let n = 0; n < 5; n += 1) await deliver({ ...event, id: `d${n}` });
    answer = (response) => response.writeHead(500).end();
    await expect(deliver({ ...event, id: 'broken' })).rejects.toMatchObject({ code: 'webhook_failed' });
    answer = (response) => response.end();
    await deliver({ ...event, id: 'mended' });
    now = new Date(testNow.getTime() + 1_000);
    await deliver({ ...event, id: 'later' });
    expect((await results()).map(({ id }) => id)).toEqual(['later', 'mended', 'broken', 'd0']);
  });

  it('is not made again where only its result could not be written down', async () => {
    const full: DocumentStore = Object.create(deps.store, {
      get: { value: deps.store.get.bind(deps.store) },
      transact: { value: () => Promise.reject(new StoreError('contended', 'too many at once')) },
    }) as DocumentStore;
    await deliverWebhook({ ...deps, store: full }, payload());
    expect(received).toHaveLength(1);
  });

  it('is given up an hour after it was laid, without another attempt, however old the change is', async () => {
    await deliver({ ...event, created_at: '2026-01-01T00:00:00.000Z' });
    expect(received).toHaveLength(1);
    now = new Date(testNow.getTime() + 3_600_001);
    await deliver();
    expect(received).toHaveLength(1);
  });

  it('ends where the task cannot be understood: it would be the same the next time', async () => {
    for (const bad of [{}, null, { webhook_id: hook.id }, payload({ ...event, type: 'session.dancing' })]) await deliverWebhook(deps, bad);
    expect(received).toEqual([]);
  });

  it('tells of a name that is not there what it tells of one that leads inside', async () => {
    const strict = { ...deps, config: { ...deps.config, webhooksAllowPrivate: false } };
    const { webhook } = await createWebhook(strict, caller, { url: 'https://hook.example/' });
    const lookups: readonly Resolve[] = [
      (_name, _options, callback) => callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []),
      (_name, _options, callback) => callback(null, []),
      (_name, _options, callback) => callback(null, [{ address: '10.0.0.1', family: 4 }]),
    ];
    const told: unknown[] = [];
    for (const resolve of lookups) {
      const failure: unknown = await deliverWebhook(strict, { ...payload(), webhook_id: webhook.id }, { resolve }).catch(
        (error: unknown) => error,
      );
      told.push(String(failure));
    }
    expect(told[0]).toMatch(/not delivered/);
    expect(new Set(told).size).toBe(1);
  });

  it('ends where the webhook was deleted, and does not bring it back', async () => {
    answer = (response) => {
      void deps.store.delete({ collection: 'webhooks', id: hook.id }).then(() => response.end());
    };
    await deliver();
    expect(await deps.store.get({ collection: 'webhooks', id: hook.id })).toBeUndefined();
    received = [];
    await deliver();
    expect(received).toEqual([]);
  });

  it('is signed on with the key before the last rotation, and says so when that is gone', async () => {
    const rotated = { ...deps, installationKey: Buffer.alloc(32, 9), previousInstallationKey: Buffer.alloc(32, 7) };
    await deliverWebhook(rotated, payload());
    const [{ headers, body }] = received as [Received];
    const digest = createHmac('sha256', secret)
      .update(`${Math.floor(testNow.getTime() / 1000)}.${body}`)
      .digest('hex');
    expect(headers['berth-signature']).toContain(digest);
    const lost = { ...rotated, previousInstallationKey: undefined };
    await expect(deliverWebhook(lost, payload())).rejects.toMatchObject({ code: 'webhook_failed' });
    expect((await results())[0]?.error).toMatch(/installation key/);
  });

  it('goes to no private address where the configuration has become strict', async () => {
    const strict = { ...deps, config: { ...deps.config, webhooksAllowPrivate: false } };
    await expect(deliverWebhook(strict, payload())).rejects.toMatchObject({ code: 'webhook_failed' });
    expect(received).toEqual([]);
  });
});

describe('sending', () => {
  /** A name server of our own. */
  const leadsTo =
    (...addresses: readonly string[]): Resolve =>
    (_name, _options, callback) => {
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
  const strict = { allowPrivate: false, timeoutMs: 2_000 };

  it.each([
    ['loopback', ['127.0.0.1']],
    ['the metadata server', ['169.254.169.254']],
    ['a private network', ['10.1.2.3']],
    ['IPv4 written as IPv6', ['::ffff:127.0.0.1']],
    ['a public and a private address', ['93.184.215.14', '127.0.0.1']],
    ['a public and a private address of IPv6', ['::1', '2606:4700:4700::1111']],
  ])('reaches nobody by a name that leads to %s', async (_what, addresses) => {
    const url = new URL(`http://hook.example:${port}/`);
    await expect(send(url, {}, '{}', { ...strict, resolve: leadsTo(...addresses) })).rejects.toThrow(ForbiddenAddressError);
    expect(received).toEqual([]);
  });

  it('is not fooled by a name that leads elsewhere at the second look: there is only one', async () => {
    let looks = 0;
    const rebinding: Resolve = (_name, _options, callback) => {
      looks += 1;
      callback(null, [{ address: looks === 1 ? '127.0.0.1' : '93.184.215.14', family: 4 }]);
    };
    await expect(send(new URL(`http://hook.example:${port}/`), {}, '{}', { ...strict, resolve: rebinding })).rejects.toThrow(
      ForbiddenAddressError,
    );
    expect(looks).toBe(1);
    expect(received).toEqual([]);
  });

  it('reaches nobody by an address in the URL itself', async () => {
    for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433']) {
      await expect(send(new URL(`http://${host}:${port}/`), {}, '{}', strict)).rejects.toThrow(ForbiddenAddressError);
    }
    expect(received).toEqual([]);
  });

  it('goes where the name leads where it may', async () => {
    const url = new URL(`http://hook.example:${port}/there`);
    expect(await send(url, {}, '{}', { ...strict, allowPrivate: true, resolve: leadsTo('127.0.0.1') })).toBe(200);
    expect(received).toMatchObject([{ url: '/there', headers: { host: `hook.example:${port}` } }]);
  });

  it('gives up on who does not answer in time', async () => {
    answer = () => undefined;
    await expect(send(new URL(origin), {}, '{}', { allowPrivate: true, timeoutMs: 100 })).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('takes the status for the answer, also of who never ends it', async () => {
    answer = (response) => response.writeHead(200).write('begun');
    expect(await send(new URL(origin), {}, '{}', { allowPrivate: true, timeoutMs: 5_000 })).toBe(200);
  });

  it.each([
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n', 101],
    ['hangs up', '', undefined],
    ['promises an answer and hangs up', 'HTTP/1.1 100 Continue\r\n\r\n', undefined],
  ])(
    'ends at once with who %s',
    async (_what, bytes, status) => {
      const rude = createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => (status === undefined ? socket.end(bytes) : socket.write(bytes)));
      });
      rude.listen(0, '127.0.0.1');
      await once(rude, 'listening');
      const url = new URL(`http://127.0.0.1:${(rude.address() as AddressInfo).port}/`);
      const outcome = send(url, {}, '{}', { allowPrivate: true, timeoutMs: 10_000 }).catch(() => undefined);
      expect(await outcome).toBe(status);
      rude.close();
      await once(rude, 'close');
    },
    5_000,
  );

  it('does not read an answer that pours', async () => {
    const closed = Promise.withResolvers<void>();
    answer = (response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(202);
      const pour = (): void => {
        while (response.write(Buffer.alloc(64 * 1024)));
        response.once('drain', pour);
      };
      pour();
    };
    expect(await send(new URL(origin), {}, '{}', { allowPrivate: true, timeoutMs: 5_000 })).toBe(202);
    await closed.promise;
  });
});
