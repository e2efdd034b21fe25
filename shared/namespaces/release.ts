/**
 * Giving a Kubernetes namespace back: first the document, then the cluster. A create that comes in between sees `releasing` and builds
 * the namespace anew, and the deletion names the uid of the old one, so it cannot hit the new one.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument } from '../documents/port.ts';
import { statusOf } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { readNamespace } from './read.ts';
import type { NamespaceDocument } from './model.ts';

/** Does nothing where the document has changed meanwhile: somebody uses the namespace again. */
export async function releaseNamespace(deps: Deps, stored: StoredDocument<NamespaceDocument>): Promise<void> {
  const kubernetes = await deps.kubernetes();
  const present = await readNamespace(kubernetes, stored.data.k8s_namespace);
  if (stored.data.state !== 'releasing') {
    try {
      await deps.store.update(stored.key, { ...stored.data, state: 'releasing', objects_digest: null }, stored.version);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'conflict') return;
      throw error;
    }
  }
  if (present?.metadata === undefined || present.metadata.deletionTimestamp !== undefined) return;
  await deleteNamespaceObject(kubernetes, stored.data.k8s_namespace, present.metadata.uid);
}

/** Deletes that very namespace: one that was built anew under the same name has another uid and stays. */
export async function deleteNamespaceObject(kubernetes: Kubernetes, name: string, uid: string | undefined): Promise<void> {
  try {
    await kubernetes.core.deleteNamespace({ name, body: uid === undefined ? {} : { preconditions: { uid } } });
  } catch (error) {
    const code = statusOf(error)?.code;
    if (code !== 404 && code !== 409) throw error;
  }
}
