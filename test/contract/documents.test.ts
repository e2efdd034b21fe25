import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { freshCollection, implementations, keyIn, refusal, type StoreFixture } from './documents-fixture.ts';

describe.each(implementations)('single documents on $name', ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: StoreFixture;
  let store: DocumentStore;
  beforeAll(async () => {
    fixture = start();
    store = await fixture.open();
  });
  afterAll(() => fixture.close());

  it('gives back what was created, with a version and a time', async () => {
    const key = keyIn(freshCollection(), 'a');
    const data = {
      text: 'x',
      count: 3,
      ratio: 0.25,
      big: 9_007_199_254_740_991,
      on: true,
      none: null,
      list: [1, 'b', { c: [] }],
      map: { 'dots.in/it': {} },
    };
    const created = await store.create(key, data);
    expect(created).toMatchObject({ key, data });
    expect(Math.abs(created.updatedAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(await store.get(key)).toEqual(created);
  });

  it('knows nothing of a document that is not there', async () => {
    expect(await store.get(keyIn(freshCollection(), 'none'))).toBeUndefined();
  });

  it('keeps any Unicode text, in values and in names', async () => {
    const key = keyIn(freshCollection(), 'a');
    const data = { text: 'Ünïcödé 漢字 🚢\u0000\n"\\', 'имя 🚢': '\u{10FFFF}' };
    await store.create(key, data);
    expect((await store.get(key))?.data).toEqual(data);
  });

  it('leaves out members that are undefined', async () => {
    const key = keyIn(freshCollection(), 'a');
    const created = await store.create(key, { a: 1, b: undefined, c: { d: undefined } });
    expect(Object.keys(created.data)).toEqual(['a', 'c']);
    expect((await store.get(key))?.data).toEqual({ a: 1, c: {} });
  });

  it('refuses to create what exists', async () => {
    const key = keyIn(freshCollection(), 'a');
    await store.create(key, { a: 1 });
    await expect(store.create(key, { a: 2 })).rejects.toMatchObject(refusal('already_exists'));
    expect((await store.get(key))?.data).toEqual({ a: 1 });
  });

  it('lets exactly one of 50 simultaneous creates win', async () => {
    const key = keyIn(freshCollection(), 'a');
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, by) => store.create(key, { by })));
    const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const losers = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(winners).toHaveLength(1);
    for (const reason of losers) expect(reason).toMatchObject(refusal('already_exists'));
    expect(await store.get(key)).toEqual(winners[0]);
  });

  it('replaces the whole document by its version, and no other', async () => {
    const key = keyIn(freshCollection(), 'a');
    const first = await store.create(key, { a: 1, b: { c: 2 } });
    const second = await store.update(key, { d: 4 }, first.version);
    expect((await store.get(key))?.data).toEqual({ d: 4 });
    expect(second.version).not.toBe(first.version);
    await expect(store.update(key, { e: 5 }, first.version)).rejects.toMatchObject(refusal('conflict'));
    expect(await store.get(key)).toEqual(second);
  });

  it('gives a new version to a write that changes nothing', async () => {
    const key = keyIn(freshCollection(), 'a');
    const first = await store.create(key, { a: 1 });
    const second = await store.update(key, { a: 1 }, first.version);
    expect(second.version).not.toBe(first.version);
    await expect(store.update(key, { a: 1 }, first.version)).rejects.toMatchObject(refusal('conflict'));
  });

  it('lets exactly one of 20 simultaneous updates of one version win', async () => {
    const key = keyIn(freshCollection(), 'a');
    const { version } = await store.create(key, { by: -1 });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, by) => store.update(key, { by }, version)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refusal('conflict'));
  });

  it('takes a document that is gone, or was made anew, for another version', async () => {
    const key = keyIn(freshCollection(), 'a');
    const { version } = await store.create(key, { a: 1 });
    await store.delete(key);
    await expect(store.update(key, { a: 2 }, version)).rejects.toMatchObject(refusal('conflict'));
    await store.create(key, { a: 1 });
    await expect(store.update(key, { a: 2 }, version)).rejects.toMatchObject(refusal('conflict'));
    await expect(store.delete(key, version)).rejects.toMatchObject(refusal('conflict'));
  });

  it('takes a text that is no version for another version', async () => {
    const key = keyIn(freshCollection(), 'a');
    await store.create(key, { a: 1 });
    await expect(store.update(key, { a: 2 }, "1' OR '1")).rejects.toMatchObject(refusal('conflict'));
    await expect(store.delete(key, 'none')).rejects.toMatchObject(refusal('conflict'));
    expect((await store.get(key))?.data).toEqual({ a: 1 });
  });

  it('deletes with and without a version, and deletes nothing without complaint', async () => {
    const collection = freshCollection();
    const [a, b] = [keyIn(collection, 'a'), keyIn(collection, 'b')];
    const { version } = await store.create(a, {});
    await store.create(b, {});
    await store.delete(a, version);
    await store.delete(b);
    await store.delete(b);
    await store.delete(a, version);
    expect([await store.get(a), await store.get(b)]).toEqual([undefined, undefined]);
  });

  it('holds nearly 1 MiB and refuses more', async () => {
    const collection = freshCollection();
    await store.create(keyIn(collection, 'fits'), { text: 'é'.repeat(523_000) });
    expect((await store.get<{ text: string }>(keyIn(collection, 'fits')))?.data.text).toHaveLength(523_000);
    const over = { text: 'x'.repeat(600_000), more: 'x'.repeat(448_600) };
    await expect(store.create(keyIn(collection, 'over'), over)).rejects.toMatchObject(refusal('too_large'));
    const { version } = await store.create(keyIn(collection, 'grows'), {});
    await expect(store.update(keyIn(collection, 'grows'), over, version)).rejects.toMatchObject(refusal('too_large'));
  });

  it.each([
    ['empty', ''],
    ['.', '.'],
    ['..', '..'],
    ['with a slash', 'a/b'],
    ['with a space', 'a b'],
    ['beyond ASCII', 'ü'],
    ['__reserved__', '__a__'],
    ['too long', 'x'.repeat(201)],
  ])('refuses an id that is %s', async (_what, id) => {
    const key = keyIn('things', id);
    const refused = refusal('invalid_argument');
    await expect(store.get(key)).rejects.toMatchObject(refused);
    await expect(store.create(key, {})).rejects.toMatchObject(refused);
    await expect(store.delete(key)).rejects.toMatchObject(refused);
    await expect(store.transact([key], () => ({ writes: [], result: 1 }))).rejects.toMatchObject(refused);
  });

  it.each([
    ['of one character', 'a'],
    ['of dots', '...'],
    ['of every kind of character', 'A-b_c.d:e@f'],
    ['of 200 characters', 'x'.repeat(200)],
  ])('takes an id %s', async (_what, id) => {
    const collection = freshCollection();
    await store.create(keyIn(collection, id), { id });
    expect((await store.query(collection, { limit: 1 })).documents[0]?.key).toEqual({ collection, id });
  });

  it.each([
    ['empty', ''],
    ['with a slash', 'a/b'],
    ['led by a digit', '1a'],
    ['with a quote', "a'b"],
    ['with a dot', 'a.b'],
    ['too long', 'x'.repeat(64)],
  ])('refuses a collection that is %s', async (_what, collection) => {
    await expect(store.create(keyIn(collection, 'a'), {})).rejects.toMatchObject(refusal('invalid_argument'));
    await expect(store.query(collection, { limit: 1 })).rejects.toMatchObject(refusal('invalid_argument'));
  });

  it.each([
    ['a date', { at: new Date() }],
    ['NaN', { n: Number.NaN }],
    ['an array in an array', { list: [[1]] }],
    ['a lone surrogate', { text: '\ud800' }],
    ["the store's own field", { _berth: 1 }],
    ['undefined in an array', { list: [undefined] }],
    ['21 levels', { deep: JSON.parse(`${'{"a":'.repeat(21)}1${'}'.repeat(21)}`) as object }],
  ])('refuses %s in a document', async (_what, data) => {
    await expect(store.create(keyIn(freshCollection(), 'a'), data)).rejects.toMatchObject(refusal('invalid_argument'));
  });
});
