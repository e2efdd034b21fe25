/**
 * Every query that Berth makes has its index: on the laptop by Firestore's rules, on the emulator by its own account of what it used.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../shared/documents/database.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import { collections } from '../../shared/sessions/collections.ts';
import {
  askEverything,
  type AskedQuery,
  filesWithQueries,
  questioners,
  recordQueries,
  type RecordingStore,
} from '../fakes/ask-everything.ts';

interface IndexField {
  readonly fieldPath: string;
  readonly order?: 'ASCENDING' | 'DESCENDING';
}
interface Indexes {
  readonly indexes: readonly { readonly collectionGroup: string; readonly queryScope: string; readonly fields: readonly IndexField[] }[];
  readonly fieldOverrides: readonly {
    readonly collectionGroup: string;
    readonly fieldPath: string;
    readonly ttl?: boolean;
    readonly indexes: readonly unknown[];
  }[];
}

const root = join(import.meta.dirname, '../..');
const file = JSON.parse(await readFile(join(root, 'firestore.indexes.json'), 'utf8')) as Indexes;
const emulator = process.env['FIRESTORE_EMULATOR_HOST'];

/** A composite index as text: `sessions: user, created_at desc`. */
function describeIndex(collection: string, fields: readonly IndexField[]): string {
  return `${collection}: ${fields.map(({ fieldPath, order }) => (order === 'DESCENDING' ? `${fieldPath} desc` : fieldPath)).join(', ')}`;
}

const composites = file.indexes.map(({ collectionGroup, fields }) => describeIndex(collectionGroup, fields));

/**
 * The fields that no index joins. Without an order Firestore joins the indexes that each field has by itself; with one, composite indexes
 * that end in it (https://firebase.google.com/docs/firestore/query-data/index-overview#taking_advantage_of_index_merging).
 */
function unindexed({ collection, equal, order, descending }: AskedQuery): readonly string[] {
  if (order === undefined || equal.length === 0) return [];
  const fitting = file.indexes.filter(({ collectionGroup, fields }) => {
    const last = fields.at(-1);
    const others = fields.slice(0, -1).map(({ fieldPath }) => fieldPath);
    const ends = last?.fieldPath === order && (last.order === 'DESCENDING') === descending;
    return collectionGroup === collection && ends && others.every((name) => equal.includes(name));
  });
  const joined = new Set(fitting.flatMap(({ fields }) => fields.map(({ fieldPath }) => fieldPath)));
  return equal.filter((name) => !joined.has(name));
}

describe('firestore.indexes.json', () => {
  let store: RecordingStore;
  const folder = mkdtempSync(join(tmpdir(), 'berth-indexes-'));
  const database = openDatabase(join(folder, 'berth.db'));
  beforeAll(async () => {
    store = recordQueries(openSqlite({ database }));
    await askEverything(store);
  });
  afterAll(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  it('is held to every file that asks the store anything', async () => {
    expect(await filesWithQueries(root)).toEqual(questioners);
  });

  it('has an index for each form of each query', () => {
    const missing = store.asked().flatMap((query) => unindexed(query).map((name) => `${query.collection}: ${name} by ${query.order}`));
    expect([...new Set(missing)]).toEqual([]);
    expect(store.asked().length).toBeGreaterThan(80);
  });

  it('orders by no field of the callers’ choice, which no index could name', () => {
    expect(store.asked().filter(({ equal, order }) => order !== undefined && equal.some((name) => name.startsWith('labels.')))).toEqual([]);
  });

  it('has no index that no query needs, and none twice', () => {
    const needed = file.indexes.filter(({ collectionGroup, fields }) => {
      const last = fields.at(-1);
      return store.asked().some(({ collection, equal, order, descending }) => {
        const ordered = order === last?.fieldPath && descending === (last?.order === 'DESCENDING');
        return collection === collectionGroup && ordered && fields.slice(0, -1).every(({ fieldPath }) => equal.includes(fieldPath));
      });
    });
    expect(needed.map(({ collectionGroup, fields }) => describeIndex(collectionGroup, fields))).toEqual(composites);
    expect(new Set(composites).size).toBe(composites.length);
  });

  it('spares each write the entries of maps and lists that nobody asks for: Firestore indexes every key by itself', () => {
    const spared = file.fieldOverrides.filter(({ indexes }) => indexes.length === 0);
    const exempt = spared.map(({ collectionGroup, fieldPath }) => `${collectionGroup}.${fieldPath}`);
    expect(exempt.filter((name) => !name.endsWith('._berth'))).toEqual([
      'audit.detail',
      'namespaces.grants',
      'namespaces.sessions',
      'namespaces.volumes',
      'sessions.grants',
      'sessions.helper',
      'sessions.history',
      'sessions.last_change',
      'sessions.pod_losses',
      'sessions.spec',
      'sessions.warnings',
      'users.holds',
      'users.limits',
      'volumes.grants',
      'volumes.readers',
      'volumes.sessions',
      'volumes.snapshots',
      'webhook_lists.webhooks',
      'webhooks.deliveries',
      'webhooks.secret',
    ]);
    // The store's own field is in every document.
    expect(exempt.filter((name) => name.endsWith('._berth'))).toEqual(
      Object.values(collections)
        .map((name) => `${name}._berth`)
        .toSorted(),
    );
    const asked = store
      .asked()
      .flatMap(({ collection, equal, order }) =>
        [...equal, ...(order === undefined ? [] : [order])].map((field) => `${collection}.${field}`),
      );
    expect(asked.filter((name) => exempt.some((field) => name === field || name.startsWith(`${field}.`)))).toEqual([]);
  });

  it('lets Firestore delete whatever has its time, in every collection that the sweep purges', async () => {
    const byTime = store
      .asked()
      .filter(({ order }) => order === 'purge_at')
      .map(({ collection }) => collection);
    const policies = file.fieldOverrides
      .filter(({ fieldPath, ttl }) => fieldPath === 'purge_at' && ttl === true)
      .map(({ collectionGroup }) => collectionGroup);
    expect(policies.toSorted()).toEqual([...new Set(byTime)].toSorted());
    expect(policies).toEqual(expect.arrayContaining(['sessions', 'handled', 'audit', 'rollups', 'idempotency']));
  });
});

interface IndexUsage {
  readonly reports: readonly { readonly index: { readonly name: string; readonly fields: readonly IndexField[] } }[];
}

/**
 * What the emulator says that a query used: one index with all of its fields, where Firestore itself may also join several that end in
 * the same order. No query of ours has conditions beside an ascending order, so the one that is descending is the order.
 */
function toAsked({ index }: IndexUsage['reports'][number]): AskedQuery {
  const [, collection = ''] = /collectionGroups\/([^/]+)\//.exec(index.name) ?? [];
  const fields = index.fields.filter(({ fieldPath }) => fieldPath !== '__name__');
  const order = fields.find((field) => field.order === 'DESCENDING')?.fieldPath ?? (fields.length === 1 ? fields[0]?.fieldPath : undefined);
  const equal = fields.map(({ fieldPath }) => fieldPath).filter((name) => name !== order);
  return { collection, equal, order, descending: fields.some((field) => field.order === 'DESCENDING') };
}

describe.skipIf(emulator === undefined)('the Firestore emulator', { timeout: 120_000 }, () => {
  it('used no index that the file does not have, or that does not follow from those it has', async () => {
    const { openFirestore } = await import('../../shared/documents/firestore.ts');
    // A project of its own: what it reports is what was asked here.
    const projectId = `berth-indexes-${Date.now().toString(36)}`;
    const store = recordQueries(await openFirestore({ projectId }));
    try {
      await askEverything(store);
      const database = `projects/${projectId}/databases/(default)`;
      const response = await fetch(`http://${emulator}/emulator/v1/projects/${projectId}:indexUsage?database=${database}`);
      expect(response.status).toBe(200);
      const { reports } = (await response.json()) as IndexUsage;
      const used = reports.map(toAsked);
      expect(used.flatMap((query) => unindexed(query).map((name) => `${query.collection}: ${name} by ${query.order}`))).toEqual([]);
      expect(store.asked().filter(({ equal, order, descending }) => equal.length > 0 && order !== undefined && !descending)).toEqual([]);
      // Its account is whole: every query with conditions and an order is in it.
      const told = new Set(used.map(({ collection, equal }) => `${collection}: ${equal.toSorted().join()}`));
      const ordered = store.asked().filter(({ equal, order }) => equal.length > 0 && order !== undefined);
      expect(ordered.map(({ collection, equal }) => `${collection}: ${equal.join()}`).filter((text) => !told.has(text))).toEqual([]);
    } finally {
      await store.close();
    }
  });
});
