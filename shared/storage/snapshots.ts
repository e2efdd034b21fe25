/**
 * Snapshots of volumes: made, looked at, removed. A new volume may be made from one (`snapshot_id`).
 *
 * @module
 */
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { isGone } from '../documents/gone.ts';
import { AppError } from '../errors/app-error.ts';
import { statusOf, translateKubernetesError } from '../kubernetes/errors.ts';
import { createSnapshot, deleteSnapshot, readSnapshot, SnapshotsUnsupported } from '../kubernetes/snapshots.ts';
import { buildSnapshot } from '../pods/claims.ts';
import { snapshotName } from '../pods/names.ts';
import { collections, snapshotKey } from '../sessions/collections.ts';
import { parseQuantity } from '../templates/quantities.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';
import { findOwnVolume, findVolume, viewClaim } from './read.ts';
import { changeSnapshot, forgetSnapshot, giveUpSnapshot, recordSnapshot } from './snapshot-documents.ts';

const GIB = 2 ** 30;
/** The sweep looks at one that is under way so often. */
const LOOK_AGAIN_MS = 30_000;
const live = ['creating', 'ready', 'failed', 'deleting'] as const;

/**
 * Begins; whether it is ready is seen by reading it. Throws `AppError` `not_found`, `forbidden`, `quota_exceeded`,
 * `snapshots_unsupported`, `volume_unbound`, `volume_deleting`, `validation_failed` for a bucket.
 */
export async function takeSnapshot(deps: Deps, caller: Caller, volumeId: string): Promise<SnapshotDocument> {
  const volume = await findOwnVolume(deps, caller, volumeId);
  if (volume.type === 'gcs_fuse') {
    throw new AppError('validation_failed', 'A bucket has no snapshots.', { errors: [{ path: 'id', message: 'is a bucket' }] });
  }
  const claim = await viewClaim(deps, volume);
  if (claim.phase !== 'Bound') {
    throw new AppError(
      'volume_unbound',
      `The volume "${volume.name}" gets its disk with the first session that mounts it; there is nothing to keep yet.`,
    );
  }
  const snapshot = newSnapshot(deps, volume, claim.capacity_gb);
  await recordSnapshot(deps, volume, snapshot);
  try {
    const body = buildSnapshot(deps.installation, snapshot, volume.claim_name ?? '', deps.config.snapshotClass);
    await createSnapshot(await deps.kubernetes(), volume.k8s_namespace, body);
  } catch (error) {
    // Without a plain refusal it may be there all the same.
    if (isRefusal(error)) await forgetSnapshot(deps, snapshot);
    else await giveUpSnapshot(deps, snapshot);
    if (!(error instanceof SnapshotsUnsupported)) throw translateKubernetesError(error);
    throw new AppError('snapshots_unsupported', 'This cluster has no VolumeSnapshot API: its volumes cannot be kept so.', { cause: error });
  }
  return refresh(deps, snapshot);
}

function isRefusal(error: unknown): boolean {
  if (error instanceof SnapshotsUnsupported) return true;
  const code = statusOf(error)?.code ?? 0;
  return code >= 400 && code < 500 && ![408, 409, 429].includes(code);
}

function newSnapshot(deps: Deps, volume: VolumeDocument, capacityGb: number | null): SnapshotDocument {
  const now = deps.clock.now();
  const id = deps.newId();
  return {
    id,
    volume_id: volume.id,
    user: volume.user,
    namespace: volume.namespace,
    k8s_namespace: volume.k8s_namespace,
    snapshot_name: snapshotName(id),
    size_gb: capacityGb ?? volume.size_gb,
    status: 'creating',
    reason: null,
    created_at: now.toISOString(),
    updated_at: now.toISOString(),
    due_at: new Date(now.getTime() + LOOK_AGAIN_MS).toISOString(),
    purge_at: null,
  };
}

/** Takes over what the cluster says of it by now. Throws what Kubernetes throws. */
async function refresh(deps: Deps, snapshot: SnapshotDocument): Promise<SnapshotDocument> {
  if (snapshot.status !== 'creating' && snapshot.status !== 'failed') return snapshot;
  const write = async (fields: Partial<SnapshotDocument>): Promise<SnapshotDocument> =>
    // It may have been deleted since.
    (await changeSnapshot(deps, snapshot, ({ status }) => (status === snapshot.status ? fields : undefined))) ?? snapshot;
  const present = await readSnapshot(await deps.kubernetes(), snapshot.k8s_namespace, snapshot.snapshot_name);
  if (present === undefined) {
    if (snapshot.reason === LOST) return snapshot;
    return write({ status: 'failed', reason: LOST, due_at: null });
  }
  if (present.ready) {
    const size = present.restoreSize === undefined ? snapshot.size_gb : Math.max(parseQuantity(present.restoreSize) / GIB, 0);
    return write({ status: 'ready', reason: null, size_gb: size, due_at: null });
  }
  const reason = present.error === undefined ? null : `snapshot_failed: ${present.error.slice(0, 600)}`;
  if (reason === snapshot.reason) return snapshot;
  return write({ status: reason === null ? 'creating' : 'failed', reason });
}

const LOST = 'snapshot_lost: The snapshot is not in the cluster any more.';

/** Whose snapshots of the volume the caller may see; they outlive the volume, and then only their owner is known. */
async function isVisible(deps: Deps, caller: Caller, volumeId: string): Promise<(snapshot: SnapshotDocument) => boolean> {
  try {
    await findVolume(deps, caller, volumeId);
    return () => true;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
    return (snapshot) => mayActFor(caller, snapshot.user);
  }
}

/** Newest first. */
export async function listSnapshots(
  deps: Deps,
  caller: Caller,
  volumeId: string,
  page: { readonly limit: number; readonly cursor?: string },
): Promise<{ readonly snapshots: readonly SnapshotDocument[]; readonly nextCursor: string | null }> {
  const mayShow = await isVisible(deps, caller, volumeId);
  const found = await deps.store.query<SnapshotDocument>(collections.snapshots, {
    where: [
      { path: 'volume_id', operator: '==', value: volumeId },
      { path: 'status', operator: 'in', value: [...live] },
    ],
    orderBy: { path: 'created_at', direction: 'descending' },
    ...page,
  });
  return { snapshots: found.documents.map((document) => document.data).filter(mayShow), nextCursor: found.nextCursor ?? null };
}

/** Throws `AppError` `not_found`, `cluster_unavailable`. */
export async function getSnapshot(deps: Deps, caller: Caller, volumeId: string, id: string): Promise<SnapshotDocument> {
  const mayShow = await isVisible(deps, caller, volumeId);
  const stored = await deps.store.get<SnapshotDocument>(snapshotKey(id));
  if (stored === undefined || isGone(stored.data, deps.clock.now()) || stored.data.volume_id !== volumeId || !mayShow(stored.data))
    throw new AppError('not_found', `There is no snapshot "${id}".`);
  try {
    return await refresh(deps, stored.data);
  } catch (error) {
    throw translateKubernetesError(error);
  }
}

/** One that is gone is fine. Throws `AppError` `not_found`, `forbidden`. */
export async function removeSnapshot(deps: Deps, caller: Caller, volumeId: string, id: string): Promise<void> {
  const snapshot = await getSnapshot(deps, caller, volumeId, id);
  if (!mayActFor(caller, snapshot.user)) throw new AppError('forbidden', 'Only its owner may delete a snapshot.');
  if (snapshot.status === 'deleted') return;
  await giveUpSnapshot(deps, snapshot);
  try {
    await finishSnapshot(deps, id);
  } catch (error) {
    deps.log.log('warn', 'the end of a snapshot is left to the sweep', { component: 'storage', action: 'delete', snapshot_id: id, error });
  }
}

/** What the sweep calls for snapshots that are due. `again`: it is still under way. Throws what Kubernetes and the store throw. */
export async function finishSnapshot(deps: Deps, id: string): Promise<'done' | 'again'> {
  const stored = await deps.store.get<SnapshotDocument>(snapshotKey(id));
  if (stored === undefined) return 'done';
  const snapshot = stored.data;
  if (snapshot.status === 'creating') {
    const after = await refresh(deps, snapshot);
    if (after.status !== 'creating') return 'done';
    await lookAgain(deps, snapshot);
    return 'again';
  }
  if (snapshot.status !== 'deleting') return 'done';
  const kubernetes = await deps.kubernetes();
  await deleteSnapshot(kubernetes, snapshot.k8s_namespace, snapshot.snapshot_name);
  if ((await readSnapshot(kubernetes, snapshot.k8s_namespace, snapshot.snapshot_name)) !== undefined) {
    await lookAgain(deps, snapshot);
    return 'again';
  }
  await forgetSnapshot(deps, snapshot);
  return 'done';
}

async function lookAgain(deps: Deps, snapshot: SnapshotDocument): Promise<void> {
  const due_at = new Date(deps.clock.now().getTime() + LOOK_AGAIN_MS).toISOString();
  await changeSnapshot(deps, snapshot, ({ status }) => (status === snapshot.status ? { due_at } : undefined));
}
