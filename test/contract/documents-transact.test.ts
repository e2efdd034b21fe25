import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentStore, StoredDocument } from '../../shared/documents/port.ts';
import { freshCollection, implementations, keyIn, refusal, type StoreFixture } from './documents-fixture.ts';

interface Counter {
  readonly count: number;
}

function countOf(document: StoredDocument<object> | undefined): number {
  return (document?.data as Counter | undefined)?.count ?? 0;
}

describe.each(implementations)('transactions on $name', ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: StoreFixture;
  let store: DocumentStore;
  let other: DocumentStore;
  beforeAll(async () => {
    fixture = start();
    store = await fixture.open();
    other = await fixture.open();
  });
  afterAll(() => fixture.close());

  it('reads the named documents in their order and answers with the result', async () => {
    const collection = freshCollection();
    const [a, b] = [keyIn(collection, 'a'), keyIn(collection, 'b')];
    const created = await store.create(b, { n: 1 });
    expect(await store.transact([a, b], (documents) => ({ writes: [], result: [...documents] }))).toEqual([undefined, created]);
  });

  it('makes all writes or none', async () => {
    const collection = freshCollection();
    const [a, b, c] = [keyIn(collection, 'a'), keyIn(collection, 'b'), keyIn(collection, 'c')];
    await store.create(a, { old: true });
    await store.create(c, {});
    await store.transact([a, b, c], () => ({
      writes: [
        { type: 'set', key: a, data: { n: 1 } },
        { type: 'create', key: b, data: { n: 2 } },
        { type: 'delete', key: c },
      ],
      result: undefined,
    }));
    expect([(await store.get(a))?.data, (await store.get(b))?.data, await store.get(c)]).toEqual([{ n: 1 }, { n: 2 }, undefined]);
    const failing = store.transact([a, b], () => ({
      writes: [
        { type: 'set', key: a, data: { n: 3 } },
        { type: 'create', key: b, data: {} },
      ],
      result: undefined,
    }));
    await expect(failing).rejects.toMatchObject(refusal('already_exists'));
    const tooLarge = store.transact([a, b], () => ({
      writes: [
        { type: 'set', key: a, data: { n: 3 } },
        { type: 'set', key: b, data: { text: 'x'.repeat(1_100_000) } },
      ],
      result: undefined,
    }));
    await expect(tooLarge).rejects.toMatchObject(refusal('too_large'));
    expect((await store.get(a))?.data).toEqual({ n: 1 });
  });

  it('throws on what the callback throws, and writes nothing', async () => {
    const key = keyIn(freshCollection(), 'a');
    const refused = Object.assign(new Error('over the limit'), { code: 'quota_exceeded' });
    const transaction = store.transact([key], () => {
      throw refused;
    });
    await expect(transaction).rejects.toBe(refused);
    expect(await store.get(key)).toBeUndefined();
  });

  it('refuses writes to what was not read, the same document twice, and more than 100 documents', async () => {
    const collection = freshCollection();
    const [a, b] = [keyIn(collection, 'a'), keyIn(collection, 'b')];
    const refused = refusal('invalid_argument');
    await expect(store.transact([a], () => ({ writes: [{ type: 'set', key: b, data: {} }], result: 1 }))).rejects.toMatchObject(refused);
    await expect(store.transact([a, a], () => ({ writes: [], result: 1 }))).rejects.toMatchObject(refused);
    const twice = [
      { type: 'set', key: a, data: {} },
      { type: 'delete', key: a },
    ] as const;
    await expect(store.transact([a], () => ({ writes: twice, result: 1 }))).rejects.toMatchObject(refused);
    const keys = Array.from({ length: 101 }, (_, index) => keyIn(collection, `k${index}`));
    await expect(store.transact(keys, () => ({ writes: [], result: 1 }))).rejects.toMatchObject(refused);
    const all = keys.slice(1).map((key) => ({ type: 'create', key, data: {} }) as const);
    await store.transact(keys.slice(1), () => ({ writes: all, result: 1 }));
    expect((await store.query(collection, { limit: 200 })).documents).toHaveLength(100);
  });

  it('admits exactly the limit of 100 simultaneous increments, each with a document of its own', async () => {
    const collection = freshCollection();
    const counter = keyIn(collection, 'counter');
    const admit = (index: number): Promise<boolean> => {
      const mine = keyIn(collection, `m${index}`);
      return store.transact([counter, mine], ([present]) => {
        const count = countOf(present);
        if (count >= 60) return { writes: [], result: false };
        return {
          writes: [
            { type: 'set', key: counter, data: { count: count + 1 } },
            { type: 'create', key: mine, data: {} },
          ],
          result: true,
        };
      });
    };
    const admitted = await Promise.all(Array.from({ length: 100 }, (_, index) => admit(index)));
    expect(admitted.filter(Boolean)).toHaveLength(60);
    expect((await store.get(counter))?.data).toEqual({ count: 60 });
    expect((await store.query(collection, { limit: 200 })).documents).toHaveLength(61);
  }, 30_000);

  it('loses no increment of two processes that fight over one document', async () => {
    const counter = keyIn(freshCollection(), 'counter');
    const increment = (by: DocumentStore): Promise<number> =>
      by.transact([counter], ([present]) => {
        const count = countOf(present) + 1;
        return { writes: [{ type: 'set', key: counter, data: { count } }], result: count };
      });
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => increment(index % 2 === 0 ? store : other)));
    expect(results.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect((await store.get(counter))?.data).toEqual({ count: 20 });
  }, 30_000);

  it('guards what was only read: of two that each rely on the absence of the other, one yields', async () => {
    const collection = freshCollection();
    for (let round = 0; round < 5; round += 1) {
      const [left, right] = [keyIn(collection, `left${round}`), keyIn(collection, `right${round}`)];
      const claim = (by: DocumentStore, mine: typeof left, theirs: typeof left): Promise<boolean> =>
        by.transact([mine, theirs], ([, rival]) =>
          rival ? { writes: [], result: false } : { writes: [{ type: 'create', key: mine, data: {} }], result: true },
        );
      const claims = await Promise.all([claim(store, left, right), claim(other, right, left)]);
      expect(claims.filter(Boolean)).toHaveLength(1);
    }
  }, 30_000);

  it('guards what was only read: of two that each rely on the other staying as it is, one yields', async () => {
    const collection = freshCollection();
    for (let round = 0; round < 5; round += 1) {
      const [left, right] = [keyIn(collection, `left${round}`), keyIn(collection, `right${round}`)];
      await store.create(left, { on: true });
      await store.create(right, { on: true });
      // Each may switch itself off while the other is on: both off must never happen.
      const leave = (by: DocumentStore, mine: typeof left, theirs: typeof left): Promise<boolean> =>
        by.transact([mine, theirs], ([, rival]) => {
          const safe = rival !== undefined && 'on' in rival.data && rival.data.on === true;
          return safe ? { writes: [{ type: 'set', key: mine, data: { on: false } }], result: true } : { writes: [], result: false };
        });
      const leaves = await Promise.all([leave(store, left, right), leave(other, right, left)]);
      expect(leaves.filter(Boolean)).toHaveLength(1);
    }
  }, 30_000);

  it('leaves the version of what was only read alone', async () => {
    const collection = freshCollection();
    const [a, b] = [keyIn(collection, 'a'), keyIn(collection, 'b')];
    const read = await store.create(a, { n: 1 });
    await store.transact([a, b], () => ({ writes: [{ type: 'create', key: b, data: {} }], result: 1 }));
    expect(await store.get(a)).toEqual(read);
  });

  it('hands the callback documents of its own at every run', async () => {
    const key = keyIn(freshCollection(), 'a');
    await store.create(key, { list: [1] });
    const spoil = (by: DocumentStore): Promise<number> =>
      by.transact([key], ([present]) => {
        const data = present?.data as { list: number[] };
        data.list.push(data.list.length + 1);
        return { writes: [{ type: 'set', key, data }], result: data.list.length };
      });
    const lengths = await Promise.all([spoil(store), spoil(other), spoil(store), spoil(other)]);
    expect(lengths.toSorted()).toEqual([2, 3, 4, 5]);
    expect((await store.get(key))?.data).toEqual({ list: [1, 2, 3, 4, 5] });
  }, 30_000);

  it('lets a version from a transaction update, and an update spoil no later transaction', async () => {
    const key = keyIn(freshCollection(), 'a');
    await store.transact([key], () => ({ writes: [{ type: 'create', key, data: { count: 1 } }], result: 1 }));
    const read = await store.get(key);
    await store.update(key, { count: 2 }, read?.version ?? '');
    await expect(store.update(key, { count: 3 }, read?.version ?? '')).rejects.toMatchObject(refusal('conflict'));
    const result = await store.transact([key], ([present]) => ({
      writes: [{ type: 'set', key, data: { count: countOf(present) + 1 } }],
      result: countOf(present),
    }));
    expect(result).toBe(2);
  });
});
