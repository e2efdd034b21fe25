/**
 * Which volumes a new session gets: those that are there and that its owner may mount, and new ones. Pure; it runs inside the
 * transaction that writes the session.
 *
 * @module
 */
import { accessOf } from '../auth/caller.ts';
import type { Entitlements, Hold } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { volumeHold } from './hold.ts';
import type { SessionVolume, SnapshotDocument, VolumeDocument } from './model.ts';
import { isReservedName, madeFor, sessionVolumeName, volumeId } from './names.ts';
import { newVolume, type NewVolumeContext } from './new-volume.ts';
import type { VolumeRequest } from './requests.ts';

export interface VolumeAdmission {
  /** Where it runs is decided; its `spec.volumes` are not. */
  readonly session: SessionDocument;
  /** The namespace that the caller asked for, or has without asking. */
  readonly askedNamespace: string;
  readonly requests: readonly VolumeRequest[];
  /** What the store has of the volumes named by `requestedIds`. */
  readonly volumes: ReadonlyMap<string, VolumeDocument>;
  /** By name: those that the volumes lie in. */
  readonly namespaces: ReadonlyMap<string, NamespaceDocument>;
  readonly snapshots: ReadonlyMap<string, SnapshotDocument>;
  readonly entitlements: Entitlements;
  readonly installation: string;
  readonly namespacePrefix: string;
  readonly now: Date;
}

export interface AdmittedVolumes {
  readonly mounts: readonly SessionVolume[];
  /** New and changed ones, as they are to be written. */
  readonly documents: readonly VolumeDocument[];
  /** Ids of the new ones. */
  readonly created: readonly string[];
  /** What the new ones count against the owner's limits, by their id. */
  readonly holds: ReadonlyMap<string, Hold>;
  readonly warnings: readonly string[];
}

/** Ids in the order of the requests; the unnamed ones belong to the session alone. */
export function requestedIds(session: Pick<SessionDocument, 'id' | 'namespace'>, requests: readonly VolumeRequest[]): readonly string[] {
  return requests.map((request, index) => request.volume_id ?? volumeId(session.namespace, request.type, nameOf(session, requests, index)));
}

function nameOf(session: Pick<SessionDocument, 'id'>, requests: readonly VolumeRequest[], index: number): string {
  const unnamedBefore = requests.slice(0, index).filter(({ name, volume_id: id }) => name === null && id === null).length;
  return requests[index]?.name ?? sessionVolumeName(session.id, unnamedBefore);
}

/**
 * Throws `AppError`: `unknown_volume` (also for what the owner may not know of), `unknown_snapshot`, `not_entitled`, `forbidden`,
 * `volume_deleting`, `validation_failed`.
 */
export function admitVolumes(admission: VolumeAdmission): AdmittedVolumes {
  const { session, requests } = admission;
  const ids = requestedIds(session, requests);
  const documents = new Map<string, VolumeDocument>();
  const holds = new Map<string, Hold>();
  const warnings: string[] = [];
  const mounts = requests.map((request, index): SessionVolume => {
    const id = ids[index] ?? '';
    const stored = documents.get(id) ?? admission.volumes.get(id);
    const present = stored?.status === 'deleted' ? undefined : stored;
    if (present === undefined) {
      const made: VolumeDocument = { ...makeVolume(admission, request, id, nameOf(session, requests, index)), made_by: session.id };
      documents.set(id, joined(made, session, admission.now));
      holds.set(id, volumeHold(made));
      return mountOf(request, made);
    }
    if (!holds.has(id)) {
      useVolume(admission, request, present);
      warnings.push(...differences(request, present));
      documents.set(id, { ...joined(present, session, admission.now), ...keptFor(request, present, session) });
    }
    return mountOf(request, present);
  });
  return { mounts, documents: [...documents.values()], created: [...holds.keys()], holds, warnings };
}

function unknown(request: VolumeRequest): AppError {
  return new AppError('unknown_volume', 'There is no such volume that this user may mount.', {
    errors: [{ path: request.fields.name, message: 'no such volume; GET /v1/storage lists them' }],
  });
}

function makeVolume(admission: VolumeAdmission, request: VolumeRequest, id: string, name: string): VolumeDocument {
  const { session } = admission;
  if (request.volume_id !== null) throw unknown(request);
  if (isReservedName(name) && !madeFor({ name }, session)) {
    throw new AppError('unknown_volume', `There is no volume "${name}", and a new one cannot have such a name.`, {
      errors: [{ path: request.fields.name, message: 'names that begin with session-, project- or conversation- are kept for Berth' }],
    });
  }
  refuseForeignBucket(admission, request);
  const retain = request.retain ?? (session.preserve_data && !madeFor({ name }, session));
  const context: NewVolumeContext = { ...admission, user: session.user, namespace: session.namespace, k8sNamespace: session.k8s_namespace };
  return newVolume(context, request, { id, incarnation: session.id, name, retain });
}

/** A pod with a bucket speaks as its namespace's service account, which may have other buckets there, too. */
function refuseForeignBucket({ session, namespaces }: VolumeAdmission, request: VolumeRequest): void {
  const namespace = namespaces.get(session.namespace);
  if (request.type !== 'gcs_fuse' || namespace === undefined) return;
  if (namespace.owner === session.user || namespace.grants?.[session.user] === 'write') return;
  throw new AppError('forbidden', 'A session in a namespace of another user cannot mount buckets there.', {
    errors: [{ path: request.fields.name, message: 'mount the bucket from a namespace of your own' }],
  });
}

/** Throws where the session's owner may not mount it, or not so. */
function useVolume(admission: VolumeAdmission, request: VolumeRequest, volume: VolumeDocument): void {
  const { session, namespaces, entitlements, askedNamespace } = admission;
  const within = hostOf(namespaces.get(volume.namespace), volume.id);
  const access = accessOf(session.user, { owner: volume.user, grants: volume.grants, within });
  if (access === undefined) throw unknown(request);
  if (volume.namespace !== askedNamespace && !entitlements.cross_namespace) {
    throw new AppError('not_entitled', `Mounting storage of another namespace ("${volume.namespace}") needs the right cross_namespace.`, {
      errors: [{ path: request.fields.name, message: `is in the namespace "${volume.namespace}"` }],
      extensions: { entitlement: 'cross_namespace' },
    });
  }
  if (volume.type === 'persistent_volume' && volume.namespace !== session.namespace) {
    throw new AppError('validation_failed', 'A claim can be mounted in its own namespace only.', {
      errors: [{ path: request.fields.name, message: `is in the namespace "${volume.namespace}": create the session there` }],
    });
  }
  if (access === 'read' && !request.read_only) {
    throw new AppError('forbidden', `The volume "${volume.name}" is shared for reading only.`, {
      errors: [{ path: request.fields.read_only, message: 'must be true' }],
    });
  }
  if (volume.type === 'gcs_fuse') refuseForeignBucket(admission, { ...request, type: 'gcs_fuse' });
  if (volume.status === 'deleting' || volume.going === true) {
    throw new AppError('volume_deleting', `The volume "${volume.name}" is being deleted; a new one can have its name in a moment.`, {
      errors: [{ path: request.fields.name, message: 'is being deleted' }],
      retryAfterSeconds: 2,
    });
  }
  if (request.snapshot_id !== null && volume.snapshot_id !== request.snapshot_id) {
    throw new AppError('validation_failed', `The volume "${volume.name}" exists; a snapshot becomes a new volume only.`, {
      errors: [{ path: request.fields.snapshot_id, message: 'leave it out, or choose a new name' }],
    });
  }
  if (request.bucket_name !== null && volume.bucket_name !== request.bucket_name) {
    throw new AppError('validation_failed', `The volume "${volume.name}" is another bucket.`, {
      errors: [{ path: request.fields.bucket_name, message: 'leave it out, or choose another name' }],
    });
  }
}

/** What was asked for and does not count, since the volume is what it is. */
function differences(request: VolumeRequest, volume: VolumeDocument): readonly string[] {
  const { size_gb: size, storage_class: storageClass, shared } = request;
  const warnings: string[] = [];
  if (size !== null && size !== volume.size_gb)
    warnings.push(`The volume "${volume.name}" exists and has ${String(volume.size_gb)} GiB; PATCH /v1/storage/${volume.id} grows it.`);
  if (storageClass !== null && storageClass !== volume.storage_class)
    warnings.push(`The volume "${volume.name}" exists and is of the storage class ${volume.storage_class ?? 'of none'}.`);
  if (shared && !volume.shared) warnings.push(`The volume "${volume.name}" exists and is for sessions on one node.`);
  return warnings;
}

/** One that is not made yet is the session's to make; of one that is there something else may be due. */
function joined(volume: VolumeDocument, session: SessionDocument, now: Date): VolumeDocument {
  const due_at = volume.status === 'ready' ? volume.due_at : null;
  return { ...volume, sessions: { ...volume.sessions, [session.id]: true }, due_at, updated_at: now.toISOString() };
}

/** Only its owner decides whether it stays; one that could not be made is tried again. */
function keptFor(request: VolumeRequest, volume: VolumeDocument, session: SessionDocument): Partial<VolumeDocument> {
  const retry = volume.status === 'failed' ? ({ status: 'creating', reason: null } as const) : {};
  return request.retain === true && volume.user === session.user ? { ...retry, retain: true } : retry;
}

function mountOf(request: VolumeRequest, volume: VolumeDocument): SessionVolume {
  return {
    volume_id: volume.id,
    type: volume.type,
    source: (volume.type === 'gcs_fuse' ? volume.bucket_name : volume.claim_name) ?? '',
    mount_path: request.mount_path,
    read_only: request.read_only,
    size_gb: volume.size_gb,
    shared: volume.shared,
    ...(request.prefix === null ? {} : { prefix: request.prefix }),
    ...(request.mount_options.length === 0 ? {} : { mount_options: request.mount_options }),
  };
}
