/**
 * What a pass costs: it reads what is due or has changed, however much there is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../shared/config.ts';
import type { Deps } from '../../shared/deps.ts';
import type { DocumentStore, Write } from '../../shared/documents/port.ts';
import { createLogger } from '../../shared/observability/create-logger.ts';
import { createMetrics } from '../../shared/observability/create-metrics.ts';
import { newId } from '../../shared/ids.ts';
import { sessionKey } from '../../shared/sessions/collections.ts';
import { withDue } from '../../shared/sessions/lifecycle.ts';
import type { Task } from '../../shared/tasks/port.ts';
import { sweep } from '../../shared/sweep/sweep.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { countReads, type CountingStore } from '../fakes/counting-store.ts';
import { emptyCluster, type EmptyCluster } from '../fakes/empty-cluster.ts';
import { sessionDocument, testNow } from '../fakes/session-document.ts';

const SESSIONS = 10_000;
const DUE = 10;
const BATCH = 100;

/** Ten of them are past their deadline; the others have an hour. */
async function fill(store: DocumentStore): Promise<readonly string[]> {
  const past = new Date(testNow.getTime() - 1000).toISOString();
  const later = new Date(testNow.getTime() + 3_600_000).toISOString();
  const sessions = Array.from({ length: SESSIONS }, (_, index) => {
    const id = `s${String(index).padStart(25, '0')}`;
    return withDue(sessionDocument({ id, user: `user-${index % 2000}`, pod_name: `berth-${id}`, expires_at: index < DUE ? past : later }));
  });
  const batches = Array.from({ length: SESSIONS / BATCH }, (_, index) => sessions.slice(index * BATCH, (index + 1) * BATCH));
  const write = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      const writes = batch.map((data): Write => ({ type: 'create', key: sessionKey(data.id), data }));
      await store.transact(
        writes.map(({ key }) => key),
        () => ({ writes, result: undefined }),
      );
    }
  };
  await Promise.all(Array.from({ length: 4 }, write));
  return sessions.slice(0, DUE).map(({ id }) => id);
}

describe.each(implementations)('ten thousand sessions on $name', ({ name, start, missing }) => {
  if (missing !== undefined) {
    it.skip(missing);
    return;
  }

  let fixture: StoreFixture;
  let store: CountingStore;
  let cluster: EmptyCluster;
  let due: readonly string[];
  const laid: Task[] = [];

  const depsNow = (): Deps => {
    const log = createLogger({ level: 'silent', format: 'text' });
    const queue = { enqueue: (task: Task) => Promise.resolve((laid.push(task), 'enqueued' as const)) };
    const deps: Partial<Deps> = {
      config: parseConfig({}),
      clock: { now: () => testNow },
      newId,
      store,
      queue: queue as Deps['queue'],
      kubernetes: () => Promise.resolve(cluster.kubernetes),
      log,
      metrics: createMetrics(),
      installation: 'reads',
    };
    return deps as Deps;
  };

  beforeAll(async () => {
    fixture = start();
    store = countReads(await fixture.open());
    cluster = emptyCluster();
    // The first pass ever compares everything; there is nothing yet.
    await sweep(depsNow());
    due = await fill(store);
  }, 120_000);

  afterAll(() => fixture.close());

  it('cost a pass only what the ten that are due cost', { timeout: 60_000 }, async () => {
    store.takeReads();
    const startedAt = performance.now();
    const report = await sweep(depsNow());
    const milliseconds = performance.now() - startedAt;
    const reads = store.takeReads();
    expect(report).toMatchObject({ actions: { expire: DUE }, failures: 0, full: false });
    expect(new Set(laid.map(({ payload }) => payload['session_id']))).toEqual(new Set(due));
    expect(reads).toBeLessThan(40);
    // How long the emulator takes says nothing of Firestore.
    expect(milliseconds).toBeLessThan(name === 'SQLite' ? 1000 : 10_000);
  });

  it('are seen through watches and lists of metadata, a page at a time', () => {
    expect(cluster.lists.length).toBeGreaterThan(0);
    for (const { limit, labelSelector } of cluster.lists) {
      expect(limit).toBeLessThanOrEqual(500);
      expect(labelSelector).toMatch(/^berth\.dev\/installation=reads(,|$)/);
    }
    expect(cluster.watches.map(({ resourceVersion }) => resourceVersion)).toEqual(cluster.watches.map(() => '7'));
  });
});
