/**
 * Asks every question that Berth puts to its store, in every form it has, and writes the forms down: what an index has to be there for.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listAudit } from '../../shared/audit/list.ts';
import type { Caller } from '../../shared/auth/caller.ts';
import { listKeys } from '../../shared/auth/keys.ts';
import { sharedWithUser, withdrawAllOf, dropStaleGrants } from '../../shared/auth/shared-with.ts';
import type { DocumentStore, Query } from '../../shared/documents/port.ts';
import { heldBy } from '../../shared/entitlements/held.ts';
import { listUsers } from '../../shared/entitlements/users.ts';
import { listNamespaces } from '../../shared/namespaces/list.ts';
import { deleteAnchored } from '../../shared/sessions/delete-anchored.ts';
import { querySessions } from '../../shared/sessions/query.ts';
import { listVolumes } from '../../shared/storage/list.ts';
import { sweep } from '../../shared/sweep/sweep.ts';
import { readNamespaces } from '../../shared/sweep/documents.ts';
import { listTemplates } from '../../shared/templates/custom-templates.ts';
import { webhooksOf } from '../../shared/webhooks/enqueue.ts';
import { listWebhooks } from '../../shared/webhooks/manage.ts';
import { emptyCluster } from './empty-cluster.ts';
import { storeDeps } from './store-deps.ts';

/** One form of a query: which fields it compares for equality, and by which it orders. */
export interface AskedQuery {
  readonly collection: string;
  readonly equal: readonly string[];
  readonly order: string | undefined;
  readonly descending: boolean;
}

export interface RecordingStore extends DocumentStore {
  asked(): readonly AskedQuery[];
}

export function recordQueries(inner: DocumentStore): RecordingStore {
  const asked = new Map<string, AskedQuery>();
  return {
    asked: () => [...asked.values()],
    query: (collection, query) => {
      const form = formOf(collection, query);
      asked.set(JSON.stringify(form), form);
      return inner.query(collection, query);
    },
    get: (key) => inner.get(key),
    transact: (keys, decide) => inner.transact(keys, decide),
    create: (key, data) => inner.create(key, data),
    update: (key, data, version) => inner.update(key, data, version),
    delete: (key, version) => inner.delete(key, version),
    changes: (collection, signal) => inner.changes(collection, signal),
    close: () => inner.close(),
  };
}

function formOf(collection: string, { where = [], orderBy }: Query): AskedQuery {
  const equal = where.filter(({ operator }) => operator === '==' || operator === 'in').map(({ path }) => path);
  return { collection, equal: [...new Set(equal)].toSorted(), order: orderBy?.path, descending: orderBy?.direction === 'descending' };
}

const admin: Caller = { keyId: 'k', kind: 'admin', user: null, requestId: 'r' };
const alice: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const page = { limit: 5 };

/** Every subset of the filters. */
function* subsets<T extends object>(filters: T): Generator<Partial<T>> {
  const entries = Object.entries(filters);
  for (let bits = 0; bits < 2 ** entries.length; bits += 1) {
    yield Object.fromEntries(entries.filter((_, index) => (bits & (1 << index)) !== 0)) as Partial<T>;
  }
}

/**
 * The files that put questions to the store. A new one has to be asked below as well: the test of the indexes compares this list with the
 * code.
 */
export const questioners = [
  'shared/audit/list.ts',
  'shared/auth/keys.ts',
  'shared/auth/shared-with.ts',
  'shared/create-deps.ts',
  'shared/entitlements/held.ts',
  'shared/entitlements/users.ts',
  'shared/namespaces/list.ts',
  'shared/sessions/delete-anchored.ts',
  'shared/sessions/query.ts',
  'shared/storage/list.ts',
  'shared/storage/snapshots.ts',
  'shared/sweep/documents.ts',
  'shared/sweep/due.ts',
  'shared/sweep/purge.ts',
  'shared/sweep/reconcile-volumes.ts',
  'shared/sweep/reconcile.ts',
  'shared/sweep/repair-users.ts',
  'shared/templates/custom-templates.ts',
  'shared/webhooks/enqueue.ts',
  'shared/webhooks/manage.ts',
] as const;

export async function filesWithQueries(root: string): Promise<readonly string[]> {
  const files = (await readdir(join(root, 'shared'), { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('documents'),
  );
  const texts = await Promise.all(
    files.map(async (file) => ({ file: `shared/${file}`, text: await readFile(join(root, 'shared', file), 'utf8') })),
  );
  return texts
    .filter(({ text }) => /\bstore\s*\.query\b/.test(text))
    .map(({ file }) => file)
    .toSorted();
}

export async function askEverything(store: DocumentStore): Promise<void> {
  const deps = { ...storeDeps(store), kubernetes: () => Promise.resolve(emptyCluster().kubernetes) };
  const sessionFilters = { user: 'alice', namespace: 'n', status: 'running', project_id: 'p', workspace_id: 'w', template: 't' } as const;
  for (const filters of subsets(sessionFilters)) await querySessions(deps, { ...filters, labels: {}, ...page });
  await querySessions(deps, { user: 'alice', status: 'running', labels: { team: 'a', stage: 'b' }, ...page });
  for (const filters of subsets({
    user: 'alice',
    action: 'a.b',
    target: 't/1',
    since: '2026-01-01T00:00:00.000Z',
    until: '2027-01-01T00:00:00.000Z',
  })) {
    await listAudit(deps, admin, { ...filters, ...page });
  }
  for (const filters of subsets({ user: 'alice', namespace: 'n', type: 'gcs_fuse' } as const))
    await listVolumes(deps, admin, { ...filters, ...page });
  for (const filters of subsets({ user: 'alice' })) {
    await listKeys(store, { ...filters, ...page });
    await listWebhooks(deps, admin, { ...filters, ...page });
  }
  for (const caller of [admin, alice]) await deleteAnchored(deps, caller, { kind: 'project', id: 'p' }, false);
  await webhooksOf(deps, 'alice');
  await listUsers(deps, page);
  await listUsers(deps, { ...page, type: 'pro' });
  for (const caller of [admin, alice]) await listNamespaces(deps, caller, page);
  await listNamespaces(deps, alice, { ...page, shared: true });
  await readNamespaces(deps, ['berth-a', 'berth-b']);
  await sharedWithUser(deps, 'alice', 'session', page);
  await withdrawAllOf(deps, 'alice');
  await dropStaleGrants(deps, 'alice');
  await listTemplates(deps, { limit: 50 });
  await heldBy(deps, 'alice', ['running', 'stopped']);
  // The form of `snapshots.ts`, which asks only about volumes that are there, and that of `create-deps.ts`.
  const live = [
    { path: 'volume_id', operator: '==', value: 'v' },
    { path: 'status', operator: 'in', value: ['ready', 'creating'] },
  ] as const;
  await store.query('snapshots', { where: live, orderBy: { path: 'created_at', direction: 'descending' }, ...page });
  await store.query('sessions', { where: [{ path: 'status', operator: 'in', value: ['running'] }], ...page });
  await sweep(deps, { full: true });
}
