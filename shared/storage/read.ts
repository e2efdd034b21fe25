/**
 * Looking at one volume.
 *
 * @module
 */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { accessTo, assertAccess, type AccessLevel, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { isGone } from '../documents/gone.ts';
import { AppError } from '../errors/app-error.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { namespaceKey, volumeKey } from '../sessions/collections.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { readClaim } from './claim.ts';
import type { VolumeDocument } from './model.ts';

const GIB = 2 ** 30;
/** What the cluster says of a claim; null where it says nothing, or there is none. */
export interface ClaimView {
  readonly phase: string | null;
  readonly capacity_gb: number | null;
}

export interface VolumeView {
  readonly volume: VolumeDocument;
  readonly claim: ClaimView;
}

export interface Found {
  readonly volume: VolumeDocument;
  readonly access: AccessLevel;
}

/** Throws `AppError` `not_found`, also where the caller may not know of it. */
export async function findVolume(deps: Deps, caller: Caller, id: string): Promise<Found> {
  const stored = await deps.store.get<VolumeDocument>(volumeKey(id));
  const volume = stored === undefined || isGone(stored.data, deps.clock.now()) ? undefined : stored.data;
  const namespace = volume === undefined ? undefined : await deps.store.get<NamespaceDocument>(namespaceKey(volume.namespace));
  const within = hostOf(namespace?.data, id);
  const access = volume === undefined ? undefined : accessTo(caller, { owner: volume.user, grants: volume.grants, within });
  if (volume === undefined || access === undefined) throw new AppError('not_found', `There is no volume "${id}".`);
  return { volume, access };
}

/** Throws `AppError` `not_found`, `forbidden`. */
export async function findOwnVolume(deps: Deps, caller: Caller, id: string): Promise<VolumeDocument> {
  const { volume, access } = await findVolume(deps, caller, id);
  assertAccess(access, 'owner', `volume "${volume.name}"`);
  if (volume.status === 'deleted') throw new AppError('not_found', `The volume "${volume.name}" is deleted.`);
  return volume;
}

/** Throws `AppError` `not_found`, `cluster_unavailable`. */
export async function getVolume(deps: Deps, caller: Caller, id: string): Promise<VolumeView> {
  const { volume } = await findVolume(deps, caller, id);
  return { volume, claim: await viewClaim(deps, volume) };
}

export async function viewClaim(deps: Deps, volume: VolumeDocument): Promise<ClaimView> {
  if (volume.type === 'gcs_fuse' || volume.status === 'deleted') return { phase: null, capacity_gb: null };
  try {
    const claim = await readClaim(deps, volume);
    return typeof claim === 'object' ? claimView(claim) : { phase: null, capacity_gb: null };
  } catch (error) {
    throw translateKubernetesError(error);
  }
}

function claimView({ status }: V1PersistentVolumeClaim): ClaimView {
  const capacity = status?.capacity?.['storage'];
  return { phase: status?.phase ?? null, capacity_gb: capacity === undefined ? null : parseQuantity(capacity) / GIB };
}
