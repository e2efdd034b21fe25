import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Condition, DocumentStore, Json, Query } from '../../shared/documents/port.ts';
import { freshCollection, implementations, keyIn, refusal, type StoreFixture } from './documents-fixture.ts';

const rows: Readonly<Record<string, { readonly [key: string]: Json }>> = {
  a: { n: 1, s: 'apple', on: true, labels: { team: 'red', 'k8s-app': 'x' }, none: null },
  b: { n: 2, s: 'Äpfel', on: false, labels: { team: 'blue' } },
  c: { n: 2.5, s: 'zebra', on: true, labels: {} },
  d: { n: '2', s: 'apple', labels: 'red' },
  e: { n: true, s: '' },
  f: { n: null, s: '🚢' },
  g: { s: '￿' },
};

describe.each(implementations)('queries on $name', ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: StoreFixture;
  let store: DocumentStore;
  const collection = freshCollection();
  beforeAll(async () => {
    fixture = start();
    store = await fixture.open();
    await Promise.all(Object.entries(rows).map(([id, data]) => store.create(keyIn(collection, id), data)));
    await store.create(keyIn(freshCollection(), 'elsewhere'), { n: 2 });
  });
  afterAll(() => fixture.close());

  async function ids(query: Omit<Query, 'limit'>): Promise<string> {
    const { documents, nextCursor } = await store.query(collection, { ...query, limit: 100 });
    expect(nextCursor).toBeUndefined();
    return documents.map(({ key }) => key.id).join('');
  }
  const where = (path: string, operator: Condition['operator'], value: Json): { where: Condition[] } => ({
    where: [{ path, operator, value }],
  });
  const by = (path: string, direction: 'ascending' | 'descending' = 'ascending') => ({ orderBy: { path, direction } });

  it('gives everything in the order of ids, documents whole', async () => {
    expect(await ids({})).toBe('abcdefg');
    const { documents } = await store.query(collection, { limit: 1 });
    expect(documents).toEqual([await store.get(keyIn(collection, 'a'))]);
  });

  it.each<[string, Condition['operator'], Json, string]>([
    ['n', '==', 2, 'b'],
    ['n', '==', 2.5, 'c'],
    ['n', '==', '2', 'd'],
    ['n', '==', true, 'e'],
    ['n', '==', null, 'f'],
    ['n', '==', 1, 'a'],
    ['on', '==', false, 'b'],
    ['s', '==', 'apple', 'ad'],
    ['s', '==', '', 'e'],
    ['s', '==', "x' OR '1'='1", ''],
    ['missing', '==', 1, ''],
    ['none', '==', null, 'a'],
    ['n', 'in', [1, 2, '2', false], 'abd'],
    ['s', 'in', ['zebra'], 'c'],
    ['labels.team', '==', 'red', 'a'],
    ['labels.team', 'in', ['red', 'blue'], 'ab'],
    ['labels.k8s-app', '==', 'x', 'a'],
    ['labels.team.deeper', '==', 'red', ''],
  ])('finds %s %s %j', async (path, operator, value, expected) => {
    expect(await ids(where(path, operator, value))).toBe(expected);
  });

  it.each<[Condition['operator'], Json, string]>([
    ['<', 2, 'a'],
    ['<=', 2, 'ab'],
    ['>', 2, 'c'],
    ['>=', 2, 'bc'],
    ['>', -1e300, 'abc'],
    ['>=', '', 'd'],
    ['<=', true, 'e'],
    ['<', true, ''],
  ])('finds n %s %j among values of that type only', async (operator, value, expected) => {
    expect(await ids({ ...where('n', operator, value), ...by('n') })).toBe(expected);
  });

  it('compares texts by their bytes', async () => {
    expect(await ids({ ...where('s', '>=', 'apple'), ...by('s') })).toBe('adcbgf');
    expect(await ids({ ...where('s', '<', 'b'), ...by('s') })).toBe('ead');
  });

  it('takes several conditions together', async () => {
    const range: Condition[] = [
      { path: 'n', operator: '>=', value: 1 },
      { path: 'n', operator: '<', value: 2.5 },
      { path: 'on', operator: 'in', value: [true, false] },
    ];
    expect(await ids({ where: range, ...by('n', 'descending') })).toBe('ba');
    expect(
      await ids({
        where: [
          { path: 's', operator: '==', value: 'apple' },
          { path: 'on', operator: '==', value: true },
        ],
      }),
    ).toBe('a');
  });

  it('orders by type, value and id, both ways, and leaves out documents without the field', async () => {
    expect(await ids(by('n'))).toBe('feabcd');
    expect(await ids(by('n', 'descending'))).toBe('dcbaef');
    expect(await ids(by('s'))).toBe('eadcbgf');
    expect(await ids(by('s', 'descending'))).toBe('fgbcdae');
    expect(await ids(by('labels.team'))).toBe('ba');
    expect(await ids(by('on', 'descending'))).toBe('cab');
  });

  it('orders by the path that it filters by', async () => {
    expect(await ids({ ...where('s', '==', 'apple'), ...by('s', 'descending') })).toBe('da');
    expect(await ids({ ...where('n', 'in', [2.5, 1]), ...by('n') })).toBe('ac');
  });

  it.each<Query>([
    { limit: 3 },
    { limit: 1, ...by('same') },
    { limit: 4, ...by('same', 'descending') },
    { limit: 2, ...by('n') },
    { limit: 3, ...by('n', 'descending') },
    { limit: 2, ...where('same', '==', 'x'), ...by('mixed') },
    { limit: 10, ...by('same') },
  ])('pages exactly, with equal and mixed values: %j', async (query) => {
    const paged = freshCollection();
    const mixed = [null, false, true, 0, 1, 'a', 'b'] as const;
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        store.create(keyIn(paged, `d${n}`), { n: Math.floor(n / 3), same: 'x', mixed: mixed[n % 7] ?? null }),
      ),
    );
    const whole = await store.query(paged, { ...query, limit: 100 });
    expect(whole.documents).toHaveLength(10);
    const found: unknown[] = [];
    let pages = 0;
    let cursor: string | undefined;
    do {
      const page = await store.query(paged, { ...query, ...(cursor !== undefined && { cursor }) });
      expect(page.documents.length).toBeLessThanOrEqual(query.limit);
      found.push(...page.documents);
      cursor = page.nextCursor;
      pages += 1;
    } while (cursor !== undefined);
    expect(found).toEqual(whole.documents);
    expect(pages).toBe(Math.ceil(10 / query.limit));
  });

  it('pages on where documents of earlier pages are gone or new', async () => {
    const paged = freshCollection();
    for (const id of ['b', 'd', 'f']) await store.create(keyIn(paged, id), { n: 1 });
    const first = await store.query(paged, { ...by('n'), limit: 2 });
    await store.delete(keyIn(paged, 'd'));
    await store.create(keyIn(paged, 'a'), { n: 1 });
    await store.create(keyIn(paged, 'e'), { n: 1 });
    const second = await store.query(paged, { ...by('n'), limit: 3, cursor: first.nextCursor ?? '' });
    expect(second.documents.map(({ key }) => key.id)).toEqual(['e', 'f']);
  });

  it('refuses the cursor of another query, and garbage', async () => {
    const { nextCursor: cursor = '' } = await store.query(collection, { ...where('s', '==', 'apple'), limit: 1 });
    expect(cursor).not.toBe('');
    const refused = refusal('invalid_cursor');
    await expect(store.query(collection, { ...where('s', '==', 'zebra'), limit: 1, cursor })).rejects.toMatchObject(refused);
    await expect(store.query(collection, { limit: 1, cursor })).rejects.toMatchObject(refused);
    await expect(store.query(collection, { ...where('s', '==', 'apple'), ...by('n'), limit: 1, cursor })).rejects.toMatchObject(refused);
    await expect(store.query('others', { ...where('s', '==', 'apple'), limit: 1, cursor })).rejects.toMatchObject(refused);
    for (const garbage of ['', 'x', '!!', 'bnVsbA', 'W10', `${cursor}A`]) {
      await expect(store.query(collection, { ...where('s', '==', 'apple'), limit: 1, cursor: garbage })).rejects.toMatchObject(refused);
    }
    expect((await store.query(collection, { ...where('s', '==', 'apple'), limit: 5, cursor })).documents).toHaveLength(1);
  });

  it('refuses a cursor that somebody has made up, whatever it says', async () => {
    const forged = async (query: Omit<Query, 'limit'>, id: unknown, value: readonly unknown[]): Promise<string> => {
      const { nextCursor = '' } = await store.query(collection, { ...query, limit: 1 });
      const [owner] = JSON.parse(Buffer.from(nextCursor, 'base64url').toString()) as [string];
      return Buffer.from(JSON.stringify([owner, id, ...value])).toString('base64url');
    };
    const refused = refusal('invalid_cursor');
    for (const id of ['', 'a/b', '.', '..', '__a__', 'x'.repeat(201), 'é', 7, null, ['a']]) {
      const cursor = await forged({}, id, []);
      await expect(store.query(collection, { limit: 1, cursor })).rejects.toMatchObject(refused);
    }
    for (const value of [[], [[1]], {}, { seconds: 1 }, '\ud800']) {
      const cursor = await forged(by('s'), 'a', [value]);
      await expect(store.query(collection, { ...by('s'), limit: 1, cursor })).rejects.toMatchObject(refused);
    }
    const expiring = freshCollection();
    for (const id of ['a', 'b']) await store.create(keyIn(expiring, id), { purge_at: '2026-01-01T00:00:00.000Z' });
    const { nextCursor = '' } = await store.query(expiring, { ...by('purge_at'), limit: 1 });
    const [owner] = JSON.parse(Buffer.from(nextCursor, 'base64url').toString()) as [string];
    const cursor = Buffer.from(JSON.stringify([owner, 'a', 'never'])).toString('base64url');
    await expect(store.query(expiring, { ...by('purge_at'), limit: 1, cursor })).rejects.toMatchObject(refused);
  });

  it('takes 30 values for in', async () => {
    const thirty = Array.from({ length: 30 }, (_, index) => index);
    expect(await ids(where('n', 'in', thirty))).toBe('ab');
    await expect(ids(where('n', 'in', [...thirty, 30]))).rejects.toMatchObject(refusal('invalid_argument'));
  });

  it.each<[string, Query]>([
    ['a limit of 0', { limit: 0 }],
    ['a limit of 1,001', { limit: 1_001 }],
    ['half a limit', { limit: 1.5 }],
    ['no values for in', { limit: 1, ...where('n', 'in', []) }],
    ['one value for in', { limit: 1, ...where('n', 'in', 3) }],
    ['null among values for in', { limit: 1, ...where('n', 'in', [null]) }],
    ['a range over null', { limit: 1, ...where('n', '<', null), ...by('n') }],
    ['a comparison with a list', { limit: 1, ...where('n', '==', [1]) }],
    ['a comparison with an object', { limit: 1, ...where('n', '==', { a: 1 }) }],
    ['a range on a path that does not order', { limit: 1, ...where('n', '<', 1) }],
    ['an empty path', { limit: 1, ...by('') }],
    ['a path with quotes', { limit: 1, ...by('a"b') }],
    ['a path with an empty part', { limit: 1, ...by('a..b') }],
    ["the store's own field", { limit: 1, ...by('_berth.writes') }],
  ])('refuses %s', async (_what, query) => {
    await expect(store.query(collection, query)).rejects.toMatchObject(refusal('invalid_argument'));
  });
});
