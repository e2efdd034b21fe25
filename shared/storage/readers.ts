/**
 * Which namespaces' pods may read a bucket beside those of its own: let in when a session of theirs starts, and shut out when none of them
 * mounts it any more, or none of those who do may.
 *
 * @module
 */
import { accessOf } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { serviceAccountName } from '../pods/names.ts';
import { namespaceKey, sessionKey, volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { BucketReader } from './buckets.ts';
import { changeSame } from './change.ts';
import type { VolumeDocument } from './model.ts';

function readerOf(k8sNamespace: string): BucketReader {
  return { k8sNamespace, serviceAccount: serviceAccountName };
}

/** Says so in the volume's document first: what is not written there would never be taken back. Throws `BucketError`. */
export async function openBucket(deps: Deps, volume: VolumeDocument, k8sNamespace: string, signal: AbortSignal): Promise<void> {
  if (k8sNamespace !== volume.k8s_namespace && volume.readers?.[k8sNamespace] === undefined) {
    await changeSame(deps, volume, (present) => ({ ...present, readers: { ...present.readers, [k8sNamespace]: true } }));
  }
  await deps.buckets?.grant(volume.bucket_name ?? '', readerOf(k8sNamespace), signal);
}

/** Of the sessions that mount the volume, those whose users may; by the namespace they run in. Pure. */
export function neededReaders(
  volume: Pick<VolumeDocument, 'id' | 'user' | 'grants'>,
  sessions: Iterable<Pick<SessionDocument, 'user' | 'k8s_namespace'>>,
  home: NamespaceDocument | undefined,
): ReadonlySet<string> {
  const owned = { owner: volume.user, grants: volume.grants, within: hostOf(home, volume.id) };
  return new Set([...sessions].filter(({ user }) => accessOf(user, owned) !== undefined).map(({ k8s_namespace: name }) => name));
}

/**
 * Shuts out whom nothing needs any more. A session that came meanwhile is let in again: it was admitted before its namespace is let in, so
 * whoever looks at the document after the right was taken sees it. Throws `BucketError`, and what the store throws; then it may be done again.
 */
export async function closeBucket(deps: Deps, id: string, signal: AbortSignal): Promise<void> {
  const volume = (await deps.store.get<VolumeDocument>(volumeKey(id)))?.data;
  const readers = Object.keys(volume?.readers ?? {});
  if (volume === undefined || volume.status === 'deleted' || readers.length === 0 || deps.buckets === undefined) return;
  const sessions = await Promise.all(Object.keys(volume.sessions).map((session) => deps.store.get<SessionDocument>(sessionKey(session))));
  const home = await deps.store.get<NamespaceDocument>(namespaceKey(volume.namespace));
  const known = sessions.flatMap((stored) => (stored === undefined ? [] : [stored.data]));
  const needed = neededReaders(volume, known, home?.data);
  for (const name of readers.filter((reader) => !needed.has(reader))) {
    await deps.buckets.revoke(volume.bucket_name ?? '', readerOf(name), signal);
    const isSame = (present: VolumeDocument): boolean =>
      present.grants === volume.grants || JSON.stringify(present.grants) === JSON.stringify(volume.grants);
    const written = await changeSame(deps, volume, (present) => {
      const isNew = Object.keys(present.sessions).some((session) => volume.sessions[session] === undefined);
      if (isNew || !isSame(present)) return undefined;
      const { [name]: _closed, ...others } = present.readers ?? {};
      return { ...present, readers: others };
    });
    if (written?.readers?.[name] !== undefined) await deps.buckets.grant(volume.bucket_name ?? '', readerOf(name), signal);
  }
}
