/**
 * What has to be read for the admission of volumes: which documents, and where the session runs.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { DocumentKey, StoredDocument } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { ownNamespace } from '../namespaces/names.ts';
import { collections, namespaceKey, snapshotKey, volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { requestedIds } from './admit-volumes.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';
import type { VolumeRequest } from './requests.ts';

/** Each is a document more in the transaction that admits the session, which is to stay below twenty of them. */
const MOST_ELSEWHERE = 4;

export interface Placement {
  /** In the namespace where its claims are, for a claim cannot be mounted from another one. */
  readonly session: SessionDocument;
  /** Of the volumes, their snapshots, and the other namespaces that volumes lie in: part of the transaction. */
  readonly keys: readonly DocumentKey[];
}

/**
 * A volume never changes its namespace, so that may be looked up before the transaction. A session that was to be in its owner's own
 * namespace follows its claims; where a namespace was chosen, it stays there, and the admission refuses.
 */
export async function placeSession(deps: Deps, session: SessionDocument, requests: readonly VolumeRequest[]): Promise<Placement> {
  const named = requests.flatMap(({ volume_id: id }) => (id === null ? [] : [id]));
  const present = await Promise.all(named.map((id) => deps.store.get<VolumeDocument>(volumeKey(id))));
  const volumes = present.flatMap((stored) => (stored === undefined || stored.data.status === 'deleted' ? [] : [stored.data]));
  const placed = placeWithClaims(session, volumes);
  const foreign = new Set(volumes.map(({ namespace }) => namespace).filter((namespace) => namespace !== placed.namespace));
  const snapshots = new Set(requests.flatMap(({ snapshot_id: id }) => (id === null ? [] : [id])));
  if (snapshots.size + foreign.size > MOST_ELSEWHERE) {
    throw new AppError('validation_failed', 'One session cannot begin with so many snapshots and volumes of other namespaces.', {
      errors: [{ path: 'volumes', message: `at most ${String(MOST_ELSEWHERE)} snapshots and other namespaces together` }],
    });
  }
  return {
    session: placed,
    keys: [
      ...[...new Set(requestedIds(placed, requests))].map(volumeKey),
      ...[...snapshots].map(snapshotKey),
      ...[...foreign].map(namespaceKey),
    ],
  };
}

function placeWithClaims(session: SessionDocument, volumes: readonly VolumeDocument[]): SessionDocument {
  if (session.namespace !== ownNamespace(session.user)) return session;
  const homes = new Map(volumes.filter(({ type }) => type === 'persistent_volume').map((volume) => [volume.namespace, volume] as const));
  if (homes.size > 1) {
    throw new AppError('validation_failed', 'Claims of two namespaces cannot be mounted in one session.', {
      errors: [{ path: 'volumes', message: `are in the namespaces ${[...homes.keys()].join(', ')}` }],
    });
  }
  const [home] = homes.values();
  if (home === undefined || home.namespace === session.namespace) return session;
  const note = `The session runs in the namespace "${home.namespace}", where its volume is.`;
  return { ...session, namespace: home.namespace, k8s_namespace: home.k8s_namespace, warnings: [...session.warnings, note] };
}

/** What the transaction has read, by id or name. */
export interface RequestedDocuments {
  readonly volumes: ReadonlyMap<string, VolumeDocument>;
  readonly snapshots: ReadonlyMap<string, SnapshotDocument>;
  readonly namespaces: ReadonlyMap<string, NamespaceDocument>;
}

export function sortDocuments(documents: readonly (StoredDocument<object> | undefined)[]): RequestedDocuments {
  const present = documents.filter((stored) => stored !== undefined);
  const of = <T>(collection: string): ReadonlyMap<string, T> =>
    new Map(present.filter(({ key }) => key.collection === collection).map(({ key, data }) => [key.id, data as T] as const));
  return {
    volumes: of<VolumeDocument>(collections.volumes),
    snapshots: of<SnapshotDocument>(collections.snapshots),
    namespaces: of<NamespaceDocument>(collections.namespaces),
  };
}
