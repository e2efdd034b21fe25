/**
 * The document of a volume that does not exist yet. Pure.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';
import { claimName } from '../pods/names.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';
import { bucketOf, looksLikeOurs } from './names.ts';
import type { VolumeRequest } from './requests.ts';

const DEFAULT_SIZE_GB = 10;
/** As GKE names them: a balanced disk, and a Filestore share (https://cloud.google.com/kubernetes-engine/docs/concepts/persistent-volumes). */
const ONE_NODE_CLASS = 'standard-rwo';
const SHARED_CLASS = 'standard-rwx';

export interface NewVolumeContext {
  readonly user: string;
  readonly namespace: string;
  readonly k8sNamespace: string;
  readonly installation: string;
  readonly namespacePrefix: string;
  readonly snapshots: ReadonlyMap<string, SnapshotDocument>;
  readonly now: Date;
}

export interface Identity {
  readonly id: string;
  /** One that no volume has had. */
  readonly incarnation: string;
  readonly name: string;
  readonly retain: boolean;
}

/** Throws `AppError` `unknown_snapshot`, `validation_failed`. */
export function newVolume(context: NewVolumeContext, request: VolumeRequest, { id, incarnation, name, retain }: Identity): VolumeDocument {
  const { user, namespace, k8sNamespace, now } = context;
  const isBucket = request.type === 'gcs_fuse';
  const claimClass = request.storage_class ?? (request.shared ? SHARED_CLASS : ONE_NODE_CLASS);
  return {
    id,
    incarnation,
    type: request.type,
    name,
    user,
    namespace,
    k8s_namespace: k8sNamespace,
    claim_name: isBucket ? null : claimName(id),
    bucket_name: isBucket ? bucketFor(context, request, name) : null,
    bucket_is_ours: isBucket && request.bucket_name === null,
    storage_class: isBucket ? null : claimClass,
    // A bucket is no disk: any number of pods mount it, anywhere.
    shared: isBucket || request.shared,
    size_gb: sizeOf(context, request),
    status: 'creating',
    reason: null,
    retain,
    sessions: {},
    grants: {},
    snapshot_id: request.snapshot_id,
    created_at: now.toISOString(),
    updated_at: now.toISOString(),
    due_at: null,
    purge_at: null,
  };
}

function bucketFor({ installation, k8sNamespace, namespacePrefix }: NewVolumeContext, request: VolumeRequest, name: string): string {
  const { bucket_name: given } = request;
  if (given === null) return bucketOf(installation, k8sNamespace, name);
  if (!looksLikeOurs(given, namespacePrefix)) return given;
  throw new AppError('validation_failed', `The bucket "${given}" is one of Berth's: mount it by its volume.`, {
    errors: [{ path: request.fields.bucket_name, message: 'is a bucket of Berth; give its volume_id or its name' }],
  });
}

/** At least what the snapshot holds: the copy would not fit otherwise. */
function sizeOf({ snapshots, namespace, user }: NewVolumeContext, request: VolumeRequest): number {
  const { snapshot_id: id, size_gb: asked } = request;
  if (id === null) return asked ?? DEFAULT_SIZE_GB;
  const snapshot = snapshots.get(id);
  if (snapshot === undefined || snapshot.user !== user || snapshot.namespace !== namespace || snapshot.status !== 'ready') {
    throw new AppError('unknown_snapshot', 'There is no such snapshot in this namespace, or it is not ready.', {
      errors: [{ path: request.fields.snapshot_id, message: 'no snapshot of this namespace that is ready' }],
    });
  }
  if (asked === null || asked >= snapshot.size_gb) return asked ?? snapshot.size_gb;
  throw new AppError('validation_failed', `The snapshot needs a volume of ${String(snapshot.size_gb)} GiB at least.`, {
    errors: [{ path: request.fields.size_gb, message: `must be at least ${String(snapshot.size_gb)}` }],
  });
}
