/**
 * How a snapshot's document changes, together with what it counts against its owner's limits, with its volume, which has only so many, and
 * with its namespace, which Kubernetes must not take along with it.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { StoredDocument, Write } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { entitlementsFor, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { forgetVolume } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { namespaceKey, snapshotKey, userKey, volumeKey } from '../sessions/collections.ts';
import { snapshotHold, snapshotHoldId } from './hold.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';
import { refuseStorage } from './quota.ts';

const DELETED_READABLE_MS = 24 * 3_600_000;
const MOST_PER_VOLUME = 50;

/** How a namespace's document names it among what keeps the namespace. */
function namespaceEntry(id: string): string {
  return `snapshot-${id}`;
}

/** Throws `AppError` `quota_exceeded`, `user_deleted`, `volume_deleting`, `conflict`. */
export async function recordSnapshot(deps: Deps, volume: VolumeDocument, snapshot: SnapshotDocument): Promise<void> {
  const keys = [userKey(snapshot.user), snapshotKey(snapshot.id), volumeKey(volume.id), namespaceKey(snapshot.namespace)];
  await deps.store.transact(keys, ([userBefore, , volumeBefore, namespaceBefore]) => {
    const present = volumeBefore?.data as VolumeDocument | undefined;
    if (present?.incarnation !== volume.incarnation || present.status !== 'ready')
      throw new AppError('volume_deleting', `The volume "${volume.name}" was deleted meanwhile.`);
    if (namespaceBefore === undefined) throw new AppError('conflict', `The namespace "${snapshot.namespace}" was released meanwhile.`);
    refuseTooMany(present);
    const user = userOrDefault(userBefore?.data as UserDocument | undefined, snapshot.user, deps);
    refuseStorage(entitlementsFor(deps, user), user, snapshotHold(snapshot));
    const home = namespaceBefore.data as NamespaceDocument;
    const writes: Write[] = [
      { type: 'set', key: userKey(user.user), data: withHold(user, snapshot) },
      { type: 'create', key: snapshotKey(snapshot.id), data: snapshot },
      { type: 'set', key: volumeKey(volume.id), data: { ...present, snapshots: { ...present.snapshots, [snapshot.id]: true } } },
      { type: 'set', key: namespaceBefore.key, data: { ...home, volumes: { ...home.volumes, [namespaceEntry(snapshot.id)]: true } } },
    ];
    return { writes, result: undefined };
  });
}

function refuseTooMany({ snapshots = {} }: VolumeDocument): void {
  const used = Object.keys(snapshots).length;
  if (used < MOST_PER_VOLUME) return;
  throw new AppError('quota_exceeded', `A volume has at most ${String(MOST_PER_VOLUME)} snapshots.`, {
    extensions: { limit: 'snapshots', allowed: MOST_PER_VOLUME, used, requested: 1 },
  });
}

function withHold(user: UserDocument, snapshot: SnapshotDocument): UserDocument {
  return { ...user, holds: { ...user.holds, [snapshotHoldId(snapshot.id)]: snapshotHold(snapshot) } };
}

/** `decide` answers nothing where nothing changes. Answers it as it is after the call; one that is deleted stays so. */
export async function changeSnapshot(
  deps: Deps,
  { id, user: owner }: Pick<SnapshotDocument, 'id' | 'user'>,
  decide: (present: SnapshotDocument) => Partial<SnapshotDocument> | undefined,
): Promise<SnapshotDocument | undefined> {
  return deps.store.transact([userKey(owner), snapshotKey(id)], ([user, stored]) => {
    if (stored === undefined) return { writes: [], result: undefined };
    const present = stored.data as SnapshotDocument;
    const fields = present.status === 'deleted' ? undefined : decide(present);
    if (fields === undefined) return { writes: [], result: present };
    const next: SnapshotDocument = { ...present, ...fields, updated_at: deps.clock.now().toISOString() };
    const writes: Write[] = [{ type: 'set', key: stored.key, data: next }];
    if (user !== undefined && next.size_gb !== present.size_gb)
      writes.push({ type: 'set', key: user.key, data: withHold(user.data as UserDocument, next) });
    return { writes, result: next };
  });
}

/** From now on the sweep sees to its end. */
export async function giveUpSnapshot(deps: Deps, snapshot: Pick<SnapshotDocument, 'id' | 'user'>): Promise<SnapshotDocument | undefined> {
  const due_at = deps.clock.now().toISOString();
  return changeSnapshot(deps, snapshot, ({ status }) => (status === 'deleting' ? undefined : { status: 'deleting', reason: null, due_at }));
}

/** Nothing of it is left. */
export async function forgetSnapshot(deps: Deps, snapshot: SnapshotDocument): Promise<void> {
  const now = deps.clock.now();
  const keys = [userKey(snapshot.user), snapshotKey(snapshot.id), volumeKey(snapshot.volume_id), namespaceKey(snapshot.namespace)];
  await deps.store.transact(keys, ([user, stored, volume, namespace]) => {
    const writes = [
      ...changed<UserDocument>(user, (present) => withoutHold(present, snapshot.id)),
      ...changed<SnapshotDocument>(stored, (present) => deleted(present, now)),
      ...changed<VolumeDocument>(volume, (present) => withoutSnapshot(present, snapshot.id)),
      ...changed<NamespaceDocument>(namespace, (present) => forgetVolume(present, namespaceEntry(snapshot.id), now)),
    ];
    return { writes, result: undefined };
  });
}

function changed<T extends object>(stored: StoredDocument<object> | undefined, change: (present: T) => T): readonly Write[] {
  if (stored === undefined) return [];
  const data = change(stored.data as T);
  return data === stored.data ? [] : [{ type: 'set', key: stored.key, data }];
}

function withoutHold(user: UserDocument, id: string): UserDocument {
  const { [snapshotHoldId(id)]: released, ...holds } = user.holds;
  return released === undefined ? user : { ...user, holds };
}

function withoutSnapshot(volume: VolumeDocument, id: string): VolumeDocument {
  if (volume.snapshots?.[id] === undefined) return volume;
  const { [id]: _gone, ...snapshots } = volume.snapshots;
  return { ...volume, snapshots };
}

function deleted(snapshot: SnapshotDocument, now: Date): SnapshotDocument {
  const purge_at = new Date(now.getTime() + DELETED_READABLE_MS).toISOString();
  return { ...snapshot, status: 'deleted', due_at: null, updated_at: now.toISOString(), purge_at };
}
