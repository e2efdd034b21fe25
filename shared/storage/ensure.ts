/**
 * Makes what a starting session mounts. Every step may be repeated, by anybody, at the same time.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { noteWaiting } from '../sessions/waiting.ts';
import { userSlug } from '../pods/names.ts';
import { BucketError } from './buckets.ts';
import { changeSame } from './change.ts';
import { createClaim, readClaim, removeClaim, removeLeftover } from './claim.ts';
import { failed, hintForLost, readied } from './lifecycle.ts';
import type { VolumeDocument } from './model.ts';
import { openBucket } from './readers.ts';

export type VolumeOutcome =
  | { readonly kind: 'ready' }
  /** It passes by itself; `reason` is `<code>: <words>`. */
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

const ready: VolumeOutcome = { kind: 'ready' };

function failure(reason: string): VolumeOutcome {
  return { kind: 'failed', reason };
}

/** Of all volumes of the session: the first that is not ready says what is in the way. Throws what Kubernetes throws. */
export async function ensureVolumes(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<VolumeOutcome> {
  for (const id of new Set(session.spec.volumes.map((volume) => volume.volume_id))) {
    const stored = await deps.store.get<VolumeDocument>(volumeKey(id));
    const volume = stored?.data;
    if (volume?.sessions[session.id] === undefined || volume.status === 'deleting' || volume.status === 'deleted')
      return failure(`volume_gone: The volume "${volume?.name ?? id}" was deleted.`);
    const outcome = await ensureVolume(deps, volume, session.k8s_namespace, signal, (reason) => noteWaiting(deps, session, reason));
    if (outcome.kind !== 'ready') return outcome;
  }
  return ready;
}

/** `k8sNamespace` is where pods mount it; `onWait` hears what takes its time. */
export async function ensureVolume(
  deps: Deps,
  volume: VolumeDocument,
  k8sNamespace: string,
  signal: AbortSignal,
  onWait: (reason: string) => Promise<void>,
): Promise<VolumeOutcome> {
  const outcome =
    volume.type === 'gcs_fuse' ? await ensureBucket(deps, volume, k8sNamespace, signal, onWait) : await ensureClaim(deps, volume);
  const now = deps.clock.now();
  if (outcome.kind === 'failed') await changeSame(deps, volume, (present) => failed(present, outcome.reason, now));
  if (outcome.kind !== 'ready' || volume.status === 'ready') return outcome;
  const written = await changeSame(deps, volume, (present) => readied(present, now));
  if (written?.status === 'ready') return outcome;
  // It was given up while its claim was being made; by now there may be another of its name.
  if (volume.type === 'persistent_volume') await removeClaim(deps, volume);
  return goneVolume(volume);
}

function goneVolume({ name }: VolumeDocument): VolumeOutcome {
  return failure(`volume_gone: The volume "${name}" was deleted.`);
}

/** A claim that was there and is not any more is not made anew: an empty volume in its place would hide that the data are lost. */
async function ensureClaim(deps: Deps, volume: VolumeDocument): Promise<VolumeOutcome> {
  if (volume.status === 'failed' && volume.reason?.startsWith('claim_lost:') === true) return failure(volume.reason);
  const wasReady = volume.status === 'ready';
  const claim = wasReady ? await readClaim(deps, volume) : await createClaim(deps, volume);
  const name = volume.claim_name ?? '';
  if (claim === 'taken') return failure(`claim_taken: There is a claim "${name}" that is not Berth's.`);
  if (claim === 'leftover' && !wasReady) {
    if (!(await removeLeftover(deps, volume))) return goneVolume(volume);
    return { kind: 'waiting', reason: `claim: The claim "${name}" of an earlier volume is going.` };
  }
  if (claim === undefined || claim === 'leftover') {
    if (wasReady) return claimLost(volume, 'is gone');
    return { kind: 'waiting', reason: `claim: The claim "${name}" is being made anew.` };
  }
  if (claim.metadata?.deletionTimestamp === undefined) return ready;
  return claimLost(volume, 'is being deleted');
}

function claimLost({ name, claim_name: claim }: VolumeDocument, what: string): VolumeOutcome {
  return failure(`claim_lost: The claim "${claim ?? ''}" of the volume "${name}" ${what}, and its data with it. ${hintForLost}`);
}

async function ensureBucket(
  deps: Deps,
  volume: VolumeDocument,
  k8sNamespace: string,
  signal: AbortSignal,
  onWait: (reason: string) => Promise<void>,
): Promise<VolumeOutcome> {
  const { buckets, installation } = deps;
  const name = volume.bucket_name ?? '';
  if (buckets === undefined) return failure('buckets_unsupported: No place for buckets is configured here any more.');
  try {
    if (!volume.bucket_is_ours) {
      const there = await buckets.exists(name, signal);
      return there === false ? failure(`bucket_unknown: There is no bucket "${name}".`) : ready;
    }
    if (volume.status !== 'ready') {
      await onWait(`bucket: The bucket "${name}" is being made.`);
      const { id, incarnation } = volume;
      const made = await buckets.ensure(name, { installation, userSlug: userSlug(volume.user), volumeId: id, incarnation }, signal);
      if (made.kind === 'leftover') {
        // Looked at after the bucket: so the bucket cannot be a later volume's.
        const present = await deps.store.get<VolumeDocument>(volumeKey(id));
        if (present?.data.incarnation !== incarnation) return goneVolume(volume);
        await buckets.remove(name, { installation, incarnation: made.incarnation }, signal);
        return { kind: 'waiting', reason: `bucket: The bucket "${name}" of an earlier volume is going.` };
      }
    }
    if (volume.status !== 'ready' || k8sNamespace !== volume.k8s_namespace) await openBucket(deps, volume, k8sNamespace, signal);
    return ready;
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    if (error.code === 'unavailable') return { kind: 'waiting', reason: `bucket: ${error.message}` };
    return failure(`bucket_${error.code}: ${error.message}`);
  }
}
