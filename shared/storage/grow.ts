/**
 * Changing a volume: more room, or whether it stays.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { entitlementsFor, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { isNotFound, translateKubernetesError } from '../kubernetes/errors.ts';
import { userKey, volumeKey } from '../sessions/collections.ts';
import { readClaim } from './claim.ts';
import type { ChangeVolumeRequest } from './create-request.ts';
import { finishVolume } from './finish.ts';
import { volumeHold, volumeHoldId } from './hold.ts';
import type { VolumeDocument } from './model.ts';
import { refuseStorage } from './quota.ts';
import { findOwnVolume } from './read.ts';

/**
 * Throws `AppError` `not_found`, `forbidden`, `quota_exceeded`, `validation_failed` where it would shrink or its class cannot grow,
 * `volume_unbound`, `volume_deleting`.
 */
export async function updateVolume(deps: Deps, caller: Caller, id: string, change: ChangeVolumeRequest): Promise<VolumeDocument> {
  const volume = await findOwnVolume(deps, caller, id);
  const grows = change.size_gb !== undefined && change.size_gb !== volume.size_gb;
  if (grows && volume.type === 'persistent_volume') await refuseFixed(deps, volume);
  const changed = await write(deps, volume, change);
  if (grows) {
    try {
      await finishVolume(deps, id);
    } catch (error) {
      throw translateKubernetesError(error);
    }
  }
  return changed;
}

/** Kubernetes grows bound claims alone, and only those of a class that says so. */
async function refuseFixed(deps: Deps, volume: VolumeDocument): Promise<void> {
  try {
    const claim = await readClaim(deps, volume);
    if (typeof claim !== 'object' || claim.status?.phase !== 'Bound') {
      throw new AppError(
        'volume_unbound',
        `The volume "${volume.name}" gets its disk with the first session that mounts it; only then can it grow.`,
      );
    }
    const { storage } = await deps.kubernetes();
    const { allowVolumeExpansion = false } = await storage.readStorageClass({ name: claim.spec?.storageClassName ?? '' });
    if (allowVolumeExpansion) return;
  } catch (error) {
    if (!isNotFound(error)) throw translateKubernetesError(error);
  }
  throw new AppError('validation_failed', `Volumes of the storage class ${volume.storage_class ?? ''} cannot grow.`, {
    errors: [{ path: 'size_gb', message: 'the storage class allows no expansion' }],
  });
}

async function write(deps: Deps, { id, user: owner }: VolumeDocument, change: ChangeVolumeRequest): Promise<VolumeDocument> {
  return deps.store.transact([userKey(owner), volumeKey(id)], ([userBefore, stored]) => {
    const present = stored?.data as VolumeDocument | undefined;
    if (present === undefined || present.status === 'deleted') throw new AppError('not_found', `There is no volume "${id}".`);
    if (present.status === 'deleting' || present.going === true)
      throw new AppError('volume_deleting', `The volume "${present.name}" is being deleted.`);
    const { size_gb: size = present.size_gb, retain = present.retain } = change;
    if (size < present.size_gb) {
      throw new AppError('validation_failed', 'A volume can only grow.', {
        errors: [{ path: 'size_gb', message: `must be at least ${String(present.size_gb)}` }],
      });
    }
    const user = userOrDefault(userBefore?.data as UserDocument | undefined, owner, deps);
    const more = size - present.size_gb;
    if (more > 0) refuseStorage(entitlementsFor(deps, user), user, { storage_gb: more });
    const now = deps.clock.now().toISOString();
    // Until the claim asks for as much, somebody has to come by.
    const next: VolumeDocument = { ...present, size_gb: size, retain, updated_at: now, ...(more > 0 && { due_at: now }) };
    return {
      writes: [
        { type: 'set', key: volumeKey(id), data: next },
        { type: 'set', key: userKey(owner), data: { ...user, holds: { ...user.holds, [volumeHoldId(id)]: volumeHold(next) } } },
      ],
      result: next,
    };
  });
}
