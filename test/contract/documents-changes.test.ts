import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Change, DocumentStore } from '../../shared/documents/port.ts';
import { freshCollection, implementations, keyIn, type StoreFixture } from './documents-fixture.ts';

const MARKER = 'marker';

/** Where the store holds back changes, a marker is written until the check holds; elsewhere every change must come by itself. */
type Nudge = (store: DocumentStore, collection: string, check: () => void) => Promise<void>;

const wait: Nudge = (_store, _collection, check) => vi.waitFor(check, { timeout: 5_000, interval: 10 });

let markers = 0;
const mark: Nudge = async (store, collection, check) => {
  const key = keyIn(collection, MARKER);
  await vi.waitFor(
    async () => {
      markers += 1;
      const n = markers;
      await store.transact([key], () => ({ writes: [{ type: 'set', key, data: { n } }], result: undefined }));
      await vi.waitFor(check, { timeout: 500, interval: 10 });
    },
    { timeout: 25_000, interval: 10 },
  );
};

/** A running feed, known to be connected, and what it has reported, as `id=n` or `id gone`. */
async function follow(store: DocumentStore, collection: string, nudge: Nudge) {
  const stop = new AbortController();
  const all: string[] = [];
  const feed = store.changes<{ n: number }>(collection, stop.signal);
  const ended = (async () => {
    for await (const change of feed) all.push(describeChange(change));
  })();
  const until = (text: string): Promise<void> => nudge(store, collection, () => expect(all).toContain(text));
  await mark(store, collection, () => expect(all.join()).toContain(MARKER));
  return { seen: () => all.filter((text) => !text.startsWith(MARKER)), until, stop: () => stop.abort(), ended };
}

function describeChange({ key, document }: Change<{ n: number }>): string {
  return document === undefined ? `${key.id} gone` : `${key.id}=${document.data.n}`;
}

describe.each(implementations)('the change feed on $name', { timeout: 60_000 }, ({ start, missing, holdsBack }) => {
  if (missing !== undefined) return void it.skip(missing);
  const nudge = holdsBack === true ? mark : wait;
  let fixture: StoreFixture;
  let store: DocumentStore;
  let other: DocumentStore;
  beforeAll(async () => {
    fixture = start();
    store = await fixture.open();
    other = await fixture.open();
  });
  afterAll(() => fixture.close());

  it('reports what is created, changed and deleted after the call, and nothing from before', async () => {
    const collection = freshCollection();
    const before = await store.create(keyIn(collection, 'before'), { n: 0 });
    const feed = await follow(store, collection, nudge);
    const { version } = await store.create(keyIn(collection, 'a'), { n: 1 });
    await feed.until('a=1');
    await store.update(keyIn(collection, 'a'), { n: 2 }, version);
    await feed.until('a=2');
    await store.update(keyIn(collection, 'before'), { n: 9 }, before.version);
    await feed.until('before=9');
    await store.delete(keyIn(collection, 'a'));
    await feed.until('a gone');
    await store.create(keyIn(collection, 'a'), { n: 3 });
    await feed.until('a=3');
    expect(feed.seen()).toEqual(['a=1', 'a=2', 'before=9', 'a gone', 'a=3']);
    feed.stop();
    await feed.ended;
  });

  it('reports what lies between the call and the first look at it', async () => {
    const collection = freshCollection();
    const stop = new AbortController();
    const changes = store.changes<{ n: number }>(collection, stop.signal);
    await store.create(keyIn(collection, 'a'), { n: 1 });
    const seen: string[] = [];
    const ended = (async () => {
      for await (const change of changes) seen.push(describeChange(change));
    })();
    await nudge(store, collection, () => expect(seen).toContain('a=1'));
    stop.abort();
    await ended;
  });

  it('reports writes of another process, of transactions too', async () => {
    const collection = freshCollection();
    const feed = await follow(store, collection, nudge);
    await other.create(keyIn(collection, 'a'), { n: 1 });
    await feed.until('a=1');
    const keys = [keyIn(collection, 'a'), keyIn(collection, 'b')] as const;
    await other.transact(keys, () => ({
      writes: [
        { type: 'delete', key: keys[0] },
        { type: 'create', key: keys[1], data: { n: 2 } },
      ],
      result: 1,
    }));
    await Promise.all([feed.until('a gone'), feed.until('b=2')]);
    feed.stop();
    await feed.ended;
  });

  it('reports to every listener, and only the collection asked for', async () => {
    const [one, two] = [freshCollection(), freshCollection()];
    const feeds = await Promise.all([follow(store, one, nudge), follow(store, one, nudge), follow(store, two, nudge)]);
    await store.create(keyIn(two, 'x'), { n: 1 });
    await store.create(keyIn(one, 'y'), { n: 1 });
    await Promise.all([feeds[0]?.until('y=1'), feeds[1]?.until('y=1'), feeds[2]?.until('x=1')]);
    for (const feed of feeds) feed.stop();
    await Promise.all(feeds.map(({ ended }) => ended));
    expect(feeds.map(({ seen }) => seen())).toEqual([['y=1'], ['y=1'], ['x=1']]);
  });

  it('ends with the last state of every document, in order per document, after a burst', async () => {
    const collection = freshCollection();
    const feed = await follow(store, collection, nudge);
    const write = async (id: string): Promise<void> => {
      let { version } = await store.create(keyIn(collection, id), { n: 0 });
      for (let n = 1; n <= 10; n += 1) ({ version } = await store.update(keyIn(collection, id), { n }, version));
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(write));
    await Promise.all(['a=10', 'b=10', 'c=10', 'd=10'].map((text) => feed.until(text)));
    for (const id of ['a', 'b', 'c', 'd']) {
      const numbers = feed
        .seen()
        .filter((text) => text.startsWith(`${id}=`))
        .map((text) => Number(text.slice(2)));
      expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
    }
    feed.stop();
    await feed.ended;
  });

  it('ends at once where the signal is aborted already, and when the store closes', async () => {
    const aborted = store.changes(freshCollection(), AbortSignal.abort());
    for await (const change of aborted) expect.fail(`reported ${change.key.id}`);
    const closing = await fixture.open();
    const feed = await follow(closing, freshCollection(), nudge);
    await closing.close();
    await feed.ended;
  });
});
