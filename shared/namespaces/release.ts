/**
 * Giving a Kubernetes namespace back: first the document says `releasing` and which one it is, by its uid; then the cluster follows. Who
 * needs the name meanwhile waits until that one is gone and builds another.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument } from '../documents/port.ts';
import { statusOf } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { backoffMs, pause } from '../kubernetes/retry.ts';
import type { NamespaceDocument } from './model.ts';
import { readOwnNamespace } from './read.ts';

/** Begins; does not wait. Does nothing where the document has changed meanwhile: somebody uses the namespace again. */
export async function releaseNamespace(deps: Deps, stored: StoredDocument<NamespaceDocument>): Promise<void> {
  const kubernetes = await deps.kubernetes();
  const { data } = stored;
  const uid = data.k8s_uid ?? (await readOwnNamespace(kubernetes, data.k8s_namespace, deps.installation))?.metadata?.uid ?? null;
  if (data.state !== 'releasing' || data.k8s_uid !== uid) {
    const releasing = { ...data, state: 'releasing' as const, k8s_uid: uid, objects_digest: null };
    if (!(await updateNamespace(deps, stored, releasing))) return;
  }
  if (uid !== null) await deleteNamespaceObject(kubernetes, data.k8s_namespace, uid);
}

/** For whoever needs the name: waits for the released one to go, and makes the document ready for another. `looks`: how often it has been looked for. */
export async function finishRelease(
  deps: Deps,
  stored: StoredDocument<NamespaceDocument>,
  looks: number,
  signal: AbortSignal,
): Promise<void> {
  const { data } = stored;
  const kubernetes = await deps.kubernetes();
  const present = await readOwnNamespace(kubernetes, data.k8s_namespace, deps.installation);
  const uid = present?.metadata?.uid;
  if (uid === undefined || (data.k8s_uid !== null && data.k8s_uid !== uid)) {
    await updateNamespace(deps, stored, { ...data, state: 'active', k8s_uid: null, objects_digest: null });
    return;
  }
  // Only once the document names it may it be deleted: two who are here at once must not delete what the other has built.
  if (data.k8s_uid === null) {
    await updateNamespace(deps, stored, { ...data, k8s_uid: uid });
    return;
  }
  if (present?.metadata?.deletionTimestamp === undefined) await deleteNamespaceObject(kubernetes, data.k8s_namespace, uid);
  await pause(backoffMs(looks), signal);
}

/** Whether the write went through; `false` means that the document has changed since it was read. */
export async function updateNamespace(deps: Deps, stored: StoredDocument<NamespaceDocument>, next: NamespaceDocument): Promise<boolean> {
  try {
    await deps.store.update(stored.key, next, stored.version);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'conflict') return false;
    throw error;
  }
}

/** Deletes that very namespace; one that is gone, or another of that name, is left alone. */
export async function deleteNamespaceObject(kubernetes: Kubernetes, name: string, uid: string | undefined): Promise<void> {
  try {
    await kubernetes.core.deleteNamespace({ name, body: uid === undefined ? {} : { preconditions: { uid } } });
  } catch (error) {
    const code = statusOf(error)?.code;
    if (code !== 404 && code !== 409) throw error;
  }
}
