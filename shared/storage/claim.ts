/**
 * The claim of a volume in the cluster: made, looked at, grown, removed. Throws what Kubernetes throws.
 *
 * @module
 */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { callOptions } from '../kubernetes/call-options.ts';
import { isAlreadyExists, isConflict, isNotFound, statusOf } from '../kubernetes/errors.ts';
import { retryWhile } from '../kubernetes/retry.ts';
import { buildClaim, storageQuantity } from '../pods/claims.ts';
import { labels } from '../pods/names.ts';
import { volumeKey } from '../sessions/collections.ts';
import type { VolumeDocument } from './model.ts';

type Placed = Pick<VolumeDocument, 'id' | 'incarnation' | 'k8s_namespace' | 'claim_name'>;

/** `taken`: it is not ours. `leftover`: it is what another volume of the same name, which is deleted, had. */
export type OtherClaim = 'taken' | 'leftover';

function nameOf(volume: Placed): { readonly name: string; readonly namespace: string } {
  return { name: volume.claim_name ?? '', namespace: volume.k8s_namespace };
}

/** Only what carries this installation's id, the volume's and its incarnation's is the volume's claim. */
function judge({ installation }: Deps, volume: Placed, claim: V1PersistentVolumeClaim): V1PersistentVolumeClaim | OtherClaim {
  const present = claim.metadata?.labels ?? {};
  if (present[labels.installation] !== installation || present[labels.volume] !== volume.id) return 'taken';
  return present[labels.incarnation] === volume.incarnation ? claim : 'leftover';
}

/** The claim if it is the volume's; undefined where there is none of its name. */
export async function readClaim(deps: Deps, volume: Placed): Promise<V1PersistentVolumeClaim | OtherClaim | undefined> {
  const claim = await readNamed(deps, volume);
  return claim === undefined ? undefined : judge(deps, volume, claim);
}

async function readNamed(deps: Deps, volume: Placed): Promise<V1PersistentVolumeClaim | undefined> {
  const { core } = await deps.kubernetes();
  try {
    return await core.readNamespacedPersistentVolumeClaim(nameOf(volume));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** A new namespace's quota is not reckoned yet; it passes by itself within moments. */
function isQuotaUnknown(error: unknown): boolean {
  const status = statusOf(error);
  return status?.code === 403 && status.message.includes('status unknown for quota');
}

export async function createClaim(deps: Deps, volume: VolumeDocument): Promise<V1PersistentVolumeClaim | OtherClaim | undefined> {
  const { core } = await deps.kubernetes();
  const body = buildClaim(deps.installation, volume);
  try {
    return await retryWhile(isQuotaUnknown, () => core.createNamespacedPersistentVolumeClaim({ namespace: volume.k8s_namespace, body }));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return readClaim(deps, volume);
  }
}

/** Asks for its end and answers whether it has come: a pod that mounts it keeps it (`kubernetes.io/pvc-protection`). */
export async function removeClaim(deps: Deps, volume: Placed): Promise<boolean> {
  const claim = await readClaim(deps, volume);
  if (typeof claim !== 'object') return true;
  if (claim.metadata?.deletionTimestamp !== undefined) return false;
  await deleteThis(deps, volume, claim);
  return typeof (await readClaim(deps, volume)) !== 'object';
}

/**
 * Asks for the end of a claim that a late finisher made for an earlier volume of this name. Answers whether the volume is the present one;
 * if it is not, it is the claim that is right. The claim is looked at before the document, so it cannot be a later volume's.
 */
export async function removeLeftover(deps: Deps, volume: Placed): Promise<boolean> {
  const claim = await readNamed(deps, volume);
  const stored = await deps.store.get<VolumeDocument>(volumeKey(volume.id));
  if (stored?.data.incarnation !== volume.incarnation) return false;
  if (claim !== undefined && judge(deps, volume, claim) === 'leftover') await deleteThis(deps, volume, claim);
  return true;
}

async function deleteThis(deps: Deps, volume: Placed, { metadata: { uid } = {} }: V1PersistentVolumeClaim): Promise<void> {
  const { core } = await deps.kubernetes();
  try {
    await core.deleteNamespacedPersistentVolumeClaim({ ...nameOf(volume), body: uid === undefined ? {} : { preconditions: { uid } } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

/** Asks for more room; the driver takes its time (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims). */
export async function growClaim(deps: Deps, volume: Placed, sizeGb: number): Promise<void> {
  const { core } = await deps.kubernetes();
  const body = { spec: { resources: { requests: { storage: storageQuantity(sizeGb) } } } };
  await core.patchNamespacedPersistentVolumeClaim({ ...nameOf(volume), body }, callOptions({ patch: 'merge' }));
}
