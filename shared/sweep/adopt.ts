/**
 * Gives a claim that a session mounts the document that was lost, so that it counts, is seen, and goes when it should.
 *
 * @module
 */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import type { Write } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { isNotFound } from '../kubernetes/errors.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { annotations, labels } from '../pods/names.ts';
import { readSession } from '../sessions/change.ts';
import { namespaceKey, userKey, volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { volumeHold, volumeHoldId } from '../storage/hold.ts';
import type { SessionVolume, VolumeDocument } from '../storage/model.ts';
import { sessionVolumeName } from '../storage/names.ts';
import type { ObjectAction } from './actions.ts';

type Adoption = Extract<ObjectAction, { readonly type: 'adopt_claim' }>;

/** Does nothing where the claim, the session or its namespace is gone by now, or the document is there after all. */
export async function adoptClaim(deps: Deps, { sighting, sessionIds }: Adoption): Promise<void> {
  const session = (await readSession(deps, sessionIds[0] ?? ''))?.data;
  const mount = session?.spec.volumes.find(({ source }) => source === sighting.name);
  const claim = await readClaim(deps, sighting.namespace, sighting.name);
  if (session === undefined || mount === undefined || claim?.metadata?.uid !== sighting.uid) return;
  const volume = adoptedVolume(claim, session, mount, sessionIds, deps.clock.now());
  const keys = [userKey(volume.user), namespaceKey(volume.namespace), volumeKey(volume.id)];
  await deps.store.transact(keys, ([user, namespace, present]) => {
    if (present !== undefined || namespace === undefined) return { writes: [], result: undefined };
    const home = namespace.data as NamespaceDocument;
    const writes: Write[] = [
      { type: 'create', key: volumeKey(volume.id), data: volume },
      { type: 'set', key: namespace.key, data: { ...home, volumes: { ...home.volumes, [volume.id]: true }, emptied_at: null } },
    ];
    if (user !== undefined) {
      const holder = user.data as UserDocument;
      const holds = { ...holder.holds, [volumeHoldId(volume.id)]: volumeHold(volume) };
      writes.push({ type: 'set', key: user.key, data: { ...holder, holds } });
    }
    return { writes, result: undefined };
  });
}

/** Pure. What the claim does not tell is the session's. */
function adoptedVolume(
  claim: V1PersistentVolumeClaim,
  session: SessionDocument,
  mount: SessionVolume,
  sessionIds: readonly string[],
  now: Date,
): VolumeDocument {
  const given = claim.metadata?.annotations ?? {};
  return {
    id: mount.volume_id,
    incarnation: claim.metadata?.labels?.[labels.incarnation] ?? '',
    type: 'persistent_volume',
    name: given[annotations.volumeName] ?? sessionVolumeName(session.id),
    user: given[annotations.user] ?? session.user,
    namespace: session.namespace,
    k8s_namespace: session.k8s_namespace,
    claim_name: mount.source,
    bucket_name: null,
    bucket_is_ours: false,
    storage_class: claim.spec?.storageClassName ?? null,
    shared: mount.shared,
    size_gb: mount.size_gb,
    status: 'ready',
    reason: null,
    // Whether it was to stay is not known any more, and what is deleted does not come back.
    retain: true,
    sessions: Object.fromEntries(sessionIds.map((id) => [id, true] as const)),
    grants: {},
    snapshot_id: null,
    created_at: now.toISOString(),
    updated_at: now.toISOString(),
    due_at: null,
    purge_at: null,
  };
}

async function readClaim(deps: Deps, namespace: string, name: string): Promise<V1PersistentVolumeClaim | undefined> {
  const { core } = await deps.kubernetes();
  try {
    return await core.readNamespacedPersistentVolumeClaim({ namespace, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
