/**
 * Reads the documents that objects in the cluster name, many at a time.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { DocumentKey } from '../documents/port.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { labels } from '../pods/names.ts';
import { collections, sessionKey, snapshotKey, volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { SnapshotDocument, VolumeDocument } from '../storage/model.ts';
import type { ObjectKind, Sighting } from './actions.ts';
import type { StorePage } from './pages.ts';

/** The most that one read takes; see `DocumentStore.transact`. */
export const MOST_KEYS = 100;
/** The most that an `in` condition takes. */
const MOST_IN = 30;

/** What `planSweep` needs of the store to judge these objects. */
export async function readStorePage(deps: Deps, objects: readonly Sighting[]): Promise<StorePage> {
  const valuesOf = (label: string): string[] => objects.map((object) => object.labels[label] ?? '');
  const named = (...kinds: readonly ObjectKind[]): string[] =>
    objects.flatMap((object) => (kinds.includes(object.kind) ? [object.kind === 'namespace' ? object.name : object.namespace] : []));
  const [sessions, volumes, snapshots, namespaces] = await Promise.all([
    readMany<SessionDocument>(deps, valuesOf(labels.session), sessionKey),
    readMany<VolumeDocument>(deps, valuesOf(labels.volume), volumeKey),
    readMany<SnapshotDocument>(deps, valuesOf(labels.snapshot), snapshotKey),
    readNamespaces(deps, named('policy', 'namespace')),
  ]);
  const strays = objects.filter(({ kind, labels: given }) => kind === 'claim' && !volumes.has(given[labels.volume] ?? ''));
  const users = await readSessionsIn(deps, new Set(strays.map(({ namespace }) => namespace)));
  return { sessions: new Map([...sessions, ...users]), volumes, snapshots, namespaces };
}

/** By id; those that are there. */
export async function readMany<T extends object>(
  deps: Deps,
  ids: Iterable<string>,
  keyOf: (id: string) => DocumentKey,
): Promise<ReadonlyMap<string, T>> {
  const found = new Map<string, T>();
  for (const part of parts(
    [...new Set(ids)].filter((id) => id !== ''),
    MOST_KEYS,
  )) {
    const keys = part.map(keyOf);
    const documents = await deps.store.transact(keys, (read) => ({ writes: [], result: read }));
    for (const document of documents) if (document !== undefined) found.set(document.key.id, document.data as T);
  }
  return found;
}

/** By the names that they have in Kubernetes. */
export async function readNamespaces(deps: Deps, names: readonly string[]): Promise<ReadonlyMap<string, NamespaceDocument>> {
  const found = new Map<string, NamespaceDocument>();
  for (const part of parts([...new Set(names)], MOST_IN)) {
    const where = [{ path: 'k8s_namespace', operator: 'in' as const, value: part }];
    const { documents } = await deps.store.query<NamespaceDocument>(collections.namespaces, { where, limit: MOST_KEYS });
    for (const { data } of documents) found.set(data.k8s_namespace, data);
  }
  return found;
}

/** All that need these Kubernetes namespaces, and those that failed in them, which need none while they rest: one of them may mount a claim that nothing else tells of. */
async function readSessionsIn(deps: Deps, names: ReadonlySet<string>): Promise<ReadonlyMap<string, SessionDocument>> {
  const namespaces = await readNamespaces(deps, [...names]);
  const ids = [...namespaces.values()].flatMap(({ sessions }) => Object.keys(sessions));
  return new Map([...(await readMany<SessionDocument>(deps, ids, sessionKey)), ...(await readFailedIn(deps, [...names]))]);
}

async function readFailedIn(deps: Deps, names: readonly string[]): Promise<ReadonlyMap<string, SessionDocument>> {
  const found = new Map<string, SessionDocument>();
  for (const part of parts(names, MOST_IN)) {
    const where = [
      { path: 'k8s_namespace', operator: 'in' as const, value: part },
      { path: 'status', operator: '==' as const, value: 'failed' },
    ];
    let cursor: string | undefined;
    do {
      const page = await deps.store.query<SessionDocument>(collections.sessions, {
        where,
        limit: MOST_KEYS,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const { key, data } of page.documents) found.set(key.id, data);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }
  return found;
}

export function* parts<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
