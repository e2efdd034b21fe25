import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentStore, Query } from '../../shared/documents/port.ts';
import { freshCollection, implementations, keyIn, refusal, type StoreFixture } from './documents-fixture.ts';

const early = '2026-01-01T00:00:00.000Z';
const middle = '2026-01-01T00:00:00.001Z';
const late = '2027-12-31T23:59:59.999Z';

describe.each(implementations)('when documents may go, on $name', { timeout: 60_000 }, ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: StoreFixture;
  let store: DocumentStore;
  beforeAll(async () => {
    fixture = start();
    store = await fixture.open();
  });
  afterAll(() => fixture.close());

  it('is the text that was written, however it was written', async () => {
    const collection = freshCollection();
    const key = keyIn(collection, 'a');
    const created = await store.create(key, { purge_at: late, inner: { purge_at: 'any text' } });
    expect(await store.get(key)).toEqual(created);
    expect(created.data).toEqual({ purge_at: late, inner: { purge_at: 'any text' } });
    const updated = await store.update(key, { purge_at: middle }, created.version);
    expect(await store.get(key)).toEqual(updated);
    await store.transact([key], ([document]) => {
      expect(document?.data).toEqual({ purge_at: middle });
      return { writes: [{ type: 'set', key, data: { purge_at: null } }], result: undefined };
    });
    expect((await store.get(key))?.data).toEqual({ purge_at: null });
  });

  it('is compared and ordered as time, and paged', async () => {
    const collection = freshCollection();
    const times = { e: early, l: late, m: middle, n: null };
    for (const [id, time] of Object.entries(times)) await store.create(keyIn(collection, id), { purge_at: time });
    await store.create(keyIn(collection, 'x'), { other: 1 });
    const ids = async (query: Omit<Query, 'limit'>): Promise<string> => {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.query(collection, { ...query, limit: 1, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...page.documents.map(({ key }) => key.id));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return found.join('');
    };
    const orderBy = { path: 'purge_at', direction: 'ascending' } as const;
    expect(await ids({ where: [{ path: 'purge_at', operator: '<=', value: middle }], orderBy })).toBe('em');
    expect(await ids({ where: [{ path: 'purge_at', operator: '>', value: early }], orderBy })).toBe('ml');
    expect(await ids({ where: [{ path: 'purge_at', operator: '==', value: late }] })).toBe('l');
    expect(await ids({ where: [{ path: 'purge_at', operator: 'in', value: [late, early] }] })).toBe('el');
    expect(await ids({ where: [{ path: 'purge_at', operator: '==', value: null }] })).toBe('n');
    expect(await ids({ orderBy: { ...orderBy, direction: 'descending' } })).toBe('lmen');
  });

  it.each([
    ['a day', '2026-01-01'],
    ['a time without milliseconds', '2026-01-01T00:00:00Z'],
    ['a time with an offset', '2026-01-01T00:00:00.000+01:00'],
    ['microseconds', '2026-01-01T00:00:00.000000Z'],
    ['a time that is none', '2026-13-01T00:00:00.000Z'],
    ['a number', 5],
    ['an object', {}],
  ])('is refused as %s', async (_what, value) => {
    const key = keyIn(freshCollection(), 'a');
    const refused = refusal('invalid_argument');
    await expect(store.create(key, { purge_at: value })).rejects.toMatchObject(refused);
    const write = { type: 'set', key, data: { purge_at: value } } as const;
    await expect(store.transact([key], () => ({ writes: [write], result: 0 }))).rejects.toMatchObject(refused);
    if (typeof value === 'object') return;
    const where = [{ path: 'purge_at', operator: '==', value }] as const;
    await expect(store.query(key.collection, { where, limit: 1 })).rejects.toMatchObject(refused);
  });
});

const emulator = process.env['FIRESTORE_EMULATOR_HOST'];

describe.skipIf(emulator === undefined)('in Firestore itself', () => {
  it('when a document may go is a Timestamp, which a TTL policy acts on', async () => {
    const { openFirestore } = await import('../../shared/documents/firestore.ts');
    const { Firestore, Timestamp } = await import('@google-cloud/firestore');
    const projectId = `berth-ttl-${Date.now().toString(36)}`;
    const store = await openFirestore({ projectId });
    const raw = new Firestore({ projectId });
    try {
      await store.create(keyIn('things', 'a'), { purge_at: late, at: late });
      const fields = (await raw.doc('things/a').get()).data();
      expect(fields).toMatchObject({ purge_at: Timestamp.fromDate(new Date(late)), at: late });
    } finally {
      await raw.terminate();
      await store.close();
    }
  });
});
