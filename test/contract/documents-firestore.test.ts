/** What only Firestore can do to us: others' writes between the read and the commit, and answers that get lost. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openFirestore } from '../../shared/documents/firestore.ts';
import type { DocumentKey, DocumentStore, Write } from '../../shared/documents/port.ts';
import { freshCollection, keyIn, refusal } from './documents-fixture.ts';

const emulator = process.env['FIRESTORE_EMULATOR_HOST'];
const projectId = process.env['GOOGLE_CLOUD_PROJECT'] ?? 'berth-test';
const collectionPrefix = `t${randomBytes(6).toString('hex')}-`;
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0).toReversed()) await close();
});

async function openStore(host = emulator, options: { retryMs?: number; timeoutMs?: number } = {}): Promise<DocumentStore> {
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', host);
  const store = await openFirestore({ projectId, collectionPrefix, ...options });
  closers.push(() => store.close());
  return store;
}

/** Another process's work while ours is inside its callback: ours waits for it. */
function meanwhile(script: string): void {
  const prelude = `const call = async (method, path, body) => {
    const url = 'http://${emulator}/v1/projects/${projectId}/databases/(default)/documents/' + path;
    const response = await fetch(url, { method, headers: { authorization: 'Bearer owner' }, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
  };`;
  execFileSync(process.execPath, ['--input-type=module', '-e', prelude + script], { stdio: ['ignore', 'ignore', 'inherit'] });
}

const path = (key: DocumentKey): string => `${collectionPrefix}${key.collection}/${key.id}`;
const put = (key: DocumentKey, n: number): string => `await call('PATCH', '${path(key)}', { fields: { n: { integerValue: '${n}' } } });`;
const remove = (key: DocumentKey): string => `await call('DELETE', '${path(key)}');`;

describe.skipIf(emulator === undefined)('a transaction on Firestore decides again', () => {
  /** Runs a transaction over `own` and `read` that is disturbed once, between read and commit; answers with the `n`s that each run saw of `read`. */
  async function disturbed(
    disturbance: (key: DocumentKey) => string,
    present: boolean,
    writes: (own: DocumentKey, read: DocumentKey) => Write[],
  ) {
    const store = await openStore();
    const collection = freshCollection();
    const [own, read] = [keyIn(collection, 'own'), keyIn(collection, 'read')];
    if (present) await store.create(read, { n: 1 });
    const seen: (number | undefined)[] = [];
    await store.transact([own, read], ([, document]) => {
      seen.push((document?.data as { n: number } | undefined)?.n);
      if (seen.length === 1) meanwhile(disturbance(read));
      return { writes: writes(own, read), result: undefined };
    });
    expect((await store.get(own))?.data).toEqual({ done: true });
    return seen;
  }
  const writeOwn = (own: DocumentKey): Write[] => [{ type: 'set', key: own, data: { done: true } }];
  const writeBoth = (own: DocumentKey, read: DocumentKey): Write[] => [...writeOwn(own), { type: 'set', key: read, data: { n: 9 } }];
  const deleteRead = (own: DocumentKey, read: DocumentKey): Write[] => [...writeOwn(own), { type: 'delete', key: read }];

  it.each([
    ['only read', writeOwn],
    ['written', writeBoth],
    ['deleted', deleteRead],
  ])(
    'where a document that is %s was changed, recreated, deleted or created meanwhile',
    async (_what, writes) => {
      expect(await disturbed((key) => put(key, 2), true, writes)).toEqual([1, 2]);
      expect(await disturbed((key) => remove(key) + put(key, 1), true, writes)).toEqual([1, 1]);
      expect(await disturbed(remove, true, writes)).toEqual([1, undefined]);
      expect(await disturbed((key) => put(key, 3), false, writes)).toEqual([undefined, 3]);
      expect(await disturbed((key) => put(key, 3) + remove(key), false, writes)).toEqual([undefined]);
    },
    30_000,
  );

  it('and gives up with contended after its bound', async () => {
    const store = await openStore(emulator, { retryMs: 1_500 });
    const key = keyIn(freshCollection(), 'hot');
    let runs = 0;
    const transaction = store.transact([key], () => {
      runs += 1;
      meanwhile(put(key, runs));
      return { writes: [{ type: 'set', key, data: { n: -1 } }], result: undefined };
    });
    await expect(transaction).rejects.toMatchObject(refusal('contended'));
    expect(runs).toBeGreaterThan(1);
    expect((await store.get(key))?.data).toEqual({ n: runs });
  }, 30_000);
});

/** A way to the emulator that, once `cut`, swallows the answers for a moment and then breaks every connection. */
async function startProxy(): Promise<{ host: string; cut(forMs: number): void }> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const [hostname = '', port] = (emulator ?? '').split(':');
  let swallow = false;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => swallow || near.write(bytes));
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        pair.forEach((end) => end.destroy());
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = (): void => pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
  closers.push(async () => {
    breakAll();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: (forMs) => {
      swallow = true;
      setTimeout(() => {
        swallow = false;
        breakAll();
      }, forMs);
    },
  };
}

describe.skipIf(emulator === undefined)('a write to Firestore whose answer is lost', () => {
  const LOST_MS = 300;

  it('is recognised as made by create, update and delete', async () => {
    const proxy = await startProxy();
    const store = await openStore(proxy.host);
    const key = keyIn(freshCollection(), 'a');
    expect(await store.get(key)).toBeUndefined();
    proxy.cut(LOST_MS);
    const created = await store.create(key, { n: 1 });
    expect(await store.get(key)).toEqual(created);
    proxy.cut(LOST_MS);
    const updated = await store.update(key, { n: 2 }, created.version);
    expect(await store.get(key)).toEqual(updated);
    proxy.cut(LOST_MS);
    await store.delete(key, updated.version);
    expect(await store.get(key)).toBeUndefined();
  }, 30_000);

  it('is made once by a transaction, also where others have written since', async () => {
    const proxy = await startProxy();
    const store = await openStore(proxy.host);
    const rival = await openStore();
    const key = keyIn(freshCollection(), 'counter');
    const increment = (by: DocumentStore, onDecide: () => void = () => undefined): Promise<number> =>
      by.transact([key], ([present]) => {
        onDecide();
        const n = ((present?.data as { n: number } | undefined)?.n ?? 0) + 1;
        return { writes: [{ type: 'set', key, data: { n } }], result: n };
      });
    expect(await increment(store)).toBe(1);
    let runs = 0;
    const lost = increment(store, () => {
      runs += 1;
      if (runs === 1) proxy.cut(LOST_MS);
    });
    await vi.waitFor(async () => expect((await rival.get(key))?.data).toEqual({ n: 2 }), { interval: 10 });
    const { version = '' } = (await rival.get(key)) ?? {};
    await rival.update(key, { n: 3 }, version);
    expect(await increment(rival)).toBe(4);
    expect(await lost).toBe(2);
    expect(runs).toBe(1);
    expect((await store.get(key))?.data).toEqual({ n: 4 });
  }, 30_000);

  it('is answered with unavailable where nothing answers', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closers.push(async () => void silent.close());
    const store = await openStore(`127.0.0.1:${(silent.address() as AddressInfo).port}`, { timeoutMs: 200, retryMs: 300 });
    const key = keyIn(freshCollection(), 'a');
    await expect(store.get(key)).rejects.toMatchObject(refusal('unavailable'));
    await expect(store.create(key, {})).rejects.toMatchObject(refusal('unavailable'));
    await expect(store.transact([key], () => ({ writes: [], result: 1 }))).rejects.toMatchObject(refusal('unavailable'));
    await expect(store.query(key.collection, { limit: 1 })).rejects.toMatchObject(refusal('unavailable'));
  }, 30_000);

  it('leaves the change feed running over broken connections', async () => {
    const proxy = await startProxy();
    const store = await openStore(proxy.host);
    const rival = await openStore();
    const collection = freshCollection();
    const stop = new AbortController();
    const seen: string[] = [];
    const ended = (async () => {
      for await (const { key, document } of store.changes<{ n: number }>(collection, stop.signal))
        seen.push(`${key.id}=${document?.data.n}`);
    })();
    const marker = keyIn(collection, 'marker');
    // The emulator may hold back a change that meets the beginning of a listener until the next change comes.
    const eventually = (texts: readonly string[]): Promise<void> =>
      vi.waitFor(
        async () => {
          await rival.transact([marker], () => ({ writes: [{ type: 'set', key: marker, data: { n: 0 } }], result: undefined }));
          expect(seen).toEqual(expect.arrayContaining([...texts]));
        },
        { timeout: 15_000, interval: 100 },
      );
    await rival.create(keyIn(collection, 'a'), { n: 1 });
    await eventually(['a=1']);
    proxy.cut(LOST_MS);
    await rival.create(keyIn(collection, 'b'), { n: 2 });
    await rival.delete(keyIn(collection, 'a'));
    await eventually(['b=2', 'a=undefined']);
    stop.abort();
    await ended;
  }, 30_000);
});
