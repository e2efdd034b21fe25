/**
 * Making a volume without a session: its document, its place among its owner's limits and in its namespace in one transaction, then
 * its claim or bucket.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import type { Decision, StoredDocument } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { entitlementsFor, refuseDeleted, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { joinNamespace } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { kubernetesNamespace, ownNamespace } from '../namespaces/names.ts';
import { namespaceKey, snapshotKey, userKey, volumeKey } from '../sessions/collections.ts';
import { ownerOf } from '../sessions/owner.ts';
import type { CreateVolumeRequest } from './create-request.ts';
import { finishVolume } from './finish.ts';
import { volumeHold, volumeHoldId } from './hold.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';
import { isReservedName, volumeId } from './names.ts';
import { newVolume } from './new-volume.ts';
import { refuseStorage } from './quota.ts';
import { singleVolume, type VolumeRequest } from './requests.ts';

const INLINE_MS = 8000;

interface Wanted {
  readonly user: string;
  readonly namespace: string;
  readonly k8sNamespace: string;
  readonly id: string;
  readonly incarnation: string;
  readonly name: string;
  readonly retain: boolean;
  readonly request: VolumeRequest;
}

/**
 * Answers when its claim or bucket is there, and after a few seconds at the latest as it stands then: the sweep goes on with it. Throws
 * `AppError` `volume_exists`, `volume_deleting`, `quota_exceeded`, `namespace_taken`, `unknown_snapshot`, `buckets_unsupported`,
 * `validation_failed`.
 */
export async function createVolume(deps: Deps, caller: Caller, body: CreateVolumeRequest): Promise<VolumeDocument> {
  const wanted = wantedVolume(deps, ownerOf(caller, body.user), body);
  const { user, namespace, id, request } = wanted;
  const keys = [
    userKey(user),
    namespaceKey(namespace),
    volumeKey(id),
    ...(request.snapshot_id === null ? [] : [snapshotKey(request.snapshot_id)]),
  ];
  const volume = await deps.store.transact(keys, (documents) => decide(deps, wanted, documents));
  try {
    using patience = startDeadline(INLINE_MS);
    await finishVolume(deps, id, patience.signal);
  } catch (error) {
    deps.log.log('warn', 'a new volume is left to the sweep', { component: 'storage', action: 'create', volume_id: id, error });
  }
  return (await deps.store.get<VolumeDocument>(volumeKey(id)))?.data ?? volume;
}

function wantedVolume(deps: Deps, user: string, body: CreateVolumeRequest): Wanted {
  const { name, type = 'persistent_volume', namespace = ownNamespace(user), retain = true } = body;
  if (isReservedName(name)) {
    throw new AppError('validation_failed', `A volume cannot be named "${name}".`, {
      errors: [{ path: 'name', message: 'names that begin with session-, project- or conversation- are kept for Berth' }],
    });
  }
  const claimOnly = (['storage_class', 'snapshot_id'] as const).filter((field) => type === 'gcs_fuse' && body[field] !== undefined);
  if (claimOnly.length > 0) {
    throw new AppError('validation_failed', 'A bucket has neither a storage class nor a snapshot.', {
      errors: claimOnly.map((path) => ({ path, message: 'is for volumes of type persistent_volume' })),
    });
  }
  if (type === 'gcs_fuse' && deps.buckets === undefined) {
    throw new AppError('buckets_unsupported', 'No place for buckets is configured here.', {
      errors: [{ path: 'type', message: 'only persistent_volume is possible' }],
    });
  }
  const request = singleVolume(type, {
    name,
    size_gb: body.size_gb ?? null,
    storage_class: body.storage_class ?? null,
    shared: body.shared ?? false,
    snapshot_id: body.snapshot_id ?? null,
  });
  const k8sNamespace = kubernetesNamespace(deps.config.namespacePrefix, deps.installation, namespace);
  return { user, namespace, k8sNamespace, id: volumeId(namespace, type, name), incarnation: deps.newId(), name, retain, request };
}

function decide(deps: Deps, wanted: Wanted, documents: readonly (StoredDocument<object> | undefined)[]): Decision<VolumeDocument> {
  const [userBefore, namespaceBefore, volumeBefore, snapshot] = documents;
  const now = deps.clock.now();
  refusePresent(volumeBefore?.data as VolumeDocument | undefined);
  const user = userOrDefault(userBefore?.data as UserDocument | undefined, wanted.user, deps);
  refuseDeleted(user);
  const { user: owner, namespace, k8sNamespace, request } = wanted;
  const joining = { namespace, k8sNamespace, user: owner, volumeIds: [wanted.id] };
  const joined = joinNamespace(namespaceBefore?.data as NamespaceDocument | undefined, joining, now);
  const snapshots = new Map(snapshot === undefined ? [] : [[snapshot.key.id, snapshot.data as SnapshotDocument] as const]);
  const context = { ...wanted, snapshots, installation: deps.installation, namespacePrefix: deps.config.namespacePrefix, now };
  const made = newVolume(context, request, wanted);
  const hold = volumeHold(made);
  refuseStorage(entitlementsFor(deps, user), user, hold);
  // Due at once: whoever comes by makes what the document promises.
  const volume: VolumeDocument = { ...made, due_at: now.toISOString() };
  return {
    writes: [
      { type: 'set', key: userKey(owner), data: { ...user, holds: { ...user.holds, [volumeHoldId(made.id)]: hold } } },
      { type: 'set', key: namespaceKey(namespace), data: joined },
      { type: 'set', key: volumeKey(made.id), data: volume },
    ],
    result: volume,
  };
}

function refusePresent(present: VolumeDocument | undefined): void {
  if (present === undefined || present.status === 'deleted') return;
  const errors = [{ path: 'name', message: 'is taken in this namespace' }];
  if (present.status === 'deleting') {
    throw new AppError('volume_deleting', `The volume "${present.name}" is being deleted.`, { errors, retryAfterSeconds: 2 });
  }
  throw new AppError('volume_exists', `There is a volume "${present.name}" in the namespace "${present.namespace}".`, { errors });
}
