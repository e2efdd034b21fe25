/**
 * Finishes what was begun with a volume: its making, its growth, its end. What the sweep calls for volumes that are due.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { Write } from '../documents/port.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { statusOf } from '../kubernetes/errors.ts';
import { ensureNamespace } from '../namespaces/ensure.ts';
import { forgetVolume } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { namespaceKey, userKey, volumeKey } from '../sessions/collections.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { changeSame } from './change.ts';
import { growClaim, readClaim, removeClaim } from './claim.ts';
import { ensureVolume } from './ensure.ts';
import { volumeHold, volumeHoldId } from './hold.ts';
import { gone, postponed } from './lifecycle.ts';
import type { VolumeDocument } from './model.ts';
import { closeBucket } from './readers.ts';

const GIB = 2 ** 30;
/** One volume must not keep a sweep for long. */
const PATIENCE_MS = 8000;
const LONGEST_MESSAGE = 600;

/**
 * `again`: something of it is still under way; `due_at` says when to look next. Safe at any time, any number of times at once. Throws
 * what Kubernetes and the store throw; then everything is as it was.
 */
export async function finishVolume(deps: Deps, id: string, within?: AbortSignal): Promise<'done' | 'again'> {
  const stored = await deps.store.get<VolumeDocument>(volumeKey(id));
  if (stored === undefined) return 'done';
  const volume = stored.data;
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = within === undefined ? patience : AbortSignal.any([within, patience]);
  switch (volume.status) {
    case 'deleting':
      return finishDeletion(deps, volume, signal);
    case 'creating':
      return volume.due_at === null ? 'done' : finishCreation(deps, volume, signal);
    case 'ready':
      return volume.due_at === null ? 'done' : finishChange(deps, volume, signal);
    default:
      return 'done';
  }
}

async function finishDeletion(deps: Deps, volume: VolumeDocument, signal: AbortSignal): Promise<'done' | 'again'> {
  const isGone = volume.type === 'gcs_fuse' ? await removeBucket(deps, volume, signal) : await removeClaim(deps, volume);
  const now = deps.clock.now();
  if (isGone) {
    await recordGone(deps, volume, now);
    return 'done';
  }
  // Written once: a document that is polled must not be written with every look.
  if (volume.due_at === null || Date.parse(volume.due_at) <= now.getTime()) {
    const reason = 'deleting: What it is made of is not gone yet.';
    await changeSame(deps, volume, (present) => (present.status === 'deleting' ? postponed(present, reason, now) : undefined));
  }
  return 'again';
}

async function removeBucket({ buckets, installation }: Deps, volume: VolumeDocument, signal: AbortSignal): Promise<boolean> {
  if (!volume.bucket_is_ours || buckets === undefined) return true;
  return buckets.remove(volume.bucket_name ?? '', { installation, incarnation: volume.incarnation }, signal);
}

/** The document, the hold and the namespace's entry in one transaction: usage is what exists. */
async function recordGone(deps: Deps, volume: VolumeDocument, now: Date): Promise<void> {
  const keys = [userKey(volume.user), volumeKey(volume.id), namespaceKey(volume.namespace)];
  await deps.store.transact(keys, ([user, stored, namespace]) => {
    const present = stored?.data as VolumeDocument | undefined;
    const isSame = present?.incarnation === volume.incarnation;
    if (stored === undefined || !isSame || present.status !== 'deleting') return { writes: [], result: undefined };
    const writes: Write[] = [{ type: 'set', key: stored.key, data: gone(present, now) }];
    if (user !== undefined) {
      const holder = user.data as UserDocument;
      const { [volumeHoldId(volume.id)]: _released, ...holds } = holder.holds;
      writes.push({ type: 'set', key: user.key, data: { ...holder, holds } });
    }
    if (namespace !== undefined)
      writes.push({ type: 'set', key: namespace.key, data: forgetVolume(namespace.data as NamespaceDocument, volume.id, now) });
    return { writes, result: undefined };
  });
  deps.log.log('info', 'volume deleted', { component: 'storage', action: 'delete', volume_id: volume.id, user_id: volume.user });
}

async function finishCreation(deps: Deps, volume: VolumeDocument, signal: AbortSignal): Promise<'done' | 'again'> {
  const user = await deps.store.get<UserDocument>(userKey(volume.user));
  const type = user?.data.type ?? deps.config.defaultUserType;
  await ensureNamespace(deps, volume.namespace, entitlementsOf(type, user?.data.limits, deps.config.entitlements), signal);
  const outcome = await ensureVolume(deps, volume, volume.k8s_namespace, signal, () => Promise.resolve());
  if (outcome.kind !== 'waiting') return 'done';
  const now = deps.clock.now();
  await changeSame(deps, volume, (present) => (present.status === 'creating' ? postponed(present, outcome.reason, now) : undefined));
  return 'again';
}

/** A volume that is there has grown, or somebody may have to be shut out of it. */
async function finishChange(deps: Deps, volume: VolumeDocument, signal: AbortSignal): Promise<'done' | 'again'> {
  if (volume.type === 'gcs_fuse') await closeBucket(deps, volume.id, signal);
  else await finishGrowth(deps, volume);
  await changeSame(deps, volume, (present) =>
    // Whoever changed it since made it due anew.
    present.status === 'ready' && present.due_at === volume.due_at ? { ...present, due_at: null } : undefined,
  );
  return 'done';
}

/**
 * The claim asks for what the document says; whether the driver has done it by now is the claim's own business. Where Kubernetes refuses it,
 * the volume has the size again that its claim asks for. Throws what Kubernetes throws, the refusal too.
 */
async function finishGrowth(deps: Deps, volume: VolumeDocument): Promise<void> {
  const claim = await readClaim(deps, volume);
  if (typeof claim !== 'object') return;
  const asked = parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0') / GIB;
  if (asked >= volume.size_gb) return;
  try {
    await growClaim(deps, volume, volume.size_gb);
  } catch (error) {
    const status = statusOf(error);
    if (status?.code === 403 || status?.code === 422) await takeBackGrowth(deps, volume, asked, status.message);
    throw error;
  }
}

async function takeBackGrowth(deps: Deps, volume: VolumeDocument, sizeGb: number, message: string): Promise<void> {
  await deps.store.transact([userKey(volume.user), volumeKey(volume.id)], ([user, stored]) => {
    const present = stored?.data as VolumeDocument | undefined;
    const isSame = present?.incarnation === volume.incarnation && present.size_gb === volume.size_gb;
    if (stored === undefined || !isSame || present.status !== 'ready' || sizeGb <= 0) return { writes: [], result: undefined };
    const reason = `growth_refused: ${message.slice(0, LONGEST_MESSAGE)}`;
    const next: VolumeDocument = { ...present, size_gb: sizeGb, reason, due_at: null, updated_at: deps.clock.now().toISOString() };
    const writes: Write[] = [{ type: 'set', key: stored.key, data: next }];
    if (user !== undefined) {
      const holder = user.data as UserDocument;
      const holds = { ...holder.holds, [volumeHoldId(volume.id)]: volumeHold(next) };
      writes.push({ type: 'set', key: user.key, data: { ...holder, holds } });
    }
    return { writes, result: undefined };
  });
}
