/**
 * Which cluster a store's sessions live on. A store that met another cluster would see no pod of its own there, and end every session.
 *
 * @module
 */
import { StoreError, type DocumentStore } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { statusOf } from './errors.ts';
import type { Kubernetes } from './port.ts';

interface ClusterDocument {
  readonly uid: string;
}

const key = { collection: 'installation', id: 'cluster' };

/**
 * Remembers the first cluster that the store meets, by the uid of its `kube-system` namespace, the one thing in a cluster that never
 * changes, and refuses every other: `AppError` `cluster_refused`. Throws what Kubernetes throws.
 */
export async function requireSameCluster(store: DocumentStore, kubernetes: Kubernetes): Promise<void> {
  const uid = await clusterUid(kubernetes);
  if (uid === undefined) return;
  const known = (await store.get<ClusterDocument>(key))?.data ?? (await remember(store, uid));
  if (known.uid === uid) return;
  throw new AppError(
    'cluster_refused',
    'The sessions of this store live on another cluster. Go back to that cluster, or give this one a store of its own (BERTH_DATA_DIR, FIRESTORE_DATABASE).',
  );
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

async function remember(store: DocumentStore, uid: string): Promise<ClusterDocument> {
  try {
    return (await store.create<ClusterDocument>(key, { uid })).data;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'already_exists') throw error;
    return (await store.get<ClusterDocument>(key))?.data ?? { uid };
  }
}
