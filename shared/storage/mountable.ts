/**
 * Whether who has a volume mounted may still have it: grants are withdrawn, and sessions rest for days. Pure.
 *
 * @module
 */
import { accessOf } from '../auth/caller.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { SessionVolume, VolumeDocument } from './model.ts';

type Shared = Pick<VolumeDocument, 'id' | 'user' | 'grants'>;

function accessTo(volume: Shared, user: string, namespace: NamespaceDocument | undefined) {
  return accessOf(user, { owner: volume.user, grants: volume.grants, within: hostOf(namespace, volume.id) });
}

/** Of what the session mounts, what its user may not mount any more, or not so. Volumes that are not there are none of it. */
export function notMountable(
  session: Pick<SessionDocument, 'user' | 'spec'>,
  volumes: ReadonlyMap<string, VolumeDocument>,
  namespaces: ReadonlyMap<string, NamespaceDocument>,
): readonly SessionVolume[] {
  return session.spec.volumes.filter(({ volume_id: id, read_only: readOnly }) => {
    const volume = volumes.get(id);
    if (volume === undefined) return false;
    const access = accessTo(volume, session.user, namespaces.get(volume.namespace));
    return access === undefined || (access === 'read' && !readOnly);
  });
}

/** Of the sessions that mount the volume, those that rest and whose users may not have it any more: they keep nobody from deleting it. */
export function detachable(
  volume: Shared,
  sessions: Iterable<Pick<SessionDocument, 'id' | 'user' | 'status'>>,
  namespace: NamespaceDocument | undefined,
): ReadonlySet<string> {
  const rests = [...sessions].filter(({ status }) => status === 'stopped' || status === 'failed');
  return new Set(rests.filter(({ user }) => accessTo(volume, user, namespace) === undefined).map(({ id }) => id));
}
