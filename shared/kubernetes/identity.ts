/**
 * Which cluster a store's sessions live on. A store that met another cluster would see no pod of its own there, and end every session.
 *
 * @module
 */
import { StoreError, type DocumentStore, type StoredDocument } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { statusOf } from './errors.ts';
import type { Kubernetes } from './port.ts';

interface ClusterDocument {
  readonly uid: string;
}

const key = { collection: 'installation', id: 'cluster' };

/**
 * Remembers the cluster that the store works with, by the uid of its `kube-system` namespace, the one thing in a cluster that never changes.
 * Another one is taken over while `inUse` says that no session needs the old one; else it is refused: `AppError` `cluster_refused`. Throws
 * what Kubernetes and the store throw.
 */
export async function requireSameCluster(store: DocumentStore, kubernetes: Kubernetes, inUse: () => Promise<boolean>): Promise<void> {
  const uid = await clusterUid(kubernetes);
  if (uid === undefined) return;
  const known = (await store.get<ClusterDocument>(key)) ?? (await remember(store, uid));
  if (known.data.uid === uid) return;
  if (await inUse()) {
    throw new AppError(
      'cluster_refused',
      'The sessions of this store live on another cluster. Go back to that cluster, or give this one a store of its own (BERTH_DATA_DIR, FIRESTORE_DATABASE).',
    );
  }
  await store.update<ClusterDocument>(key, { uid }, known.version);
}

/** `undefined` where we may not look: then nothing can be compared. */
async function clusterUid({ core }: Kubernetes): Promise<string | undefined> {
  try {
    return (await core.readNamespace({ name: 'kube-system' })).metadata?.uid;
  } catch (error) {
    if (statusOf(error)?.code === 403) return undefined;
    throw error;
  }
}

async function remember(store: DocumentStore, uid: string): Promise<StoredDocument<ClusterDocument>> {
  try {
    return await store.create<ClusterDocument>(key, { uid });
  } catch (error) {
    const present = error instanceof StoreError && error.code === 'already_exists' ? await store.get<ClusterDocument>(key) : undefined;
    if (present === undefined) throw error;
    return present;
  }
}
