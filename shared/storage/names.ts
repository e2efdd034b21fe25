/**
 * Names and ids that follow from a volume's namespace, type and name, so that two creates of one name are one volume.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { bucketName } from '../namespaces/names.ts';
import type { VolumeDocument, VolumeType } from './model.ts';

const ID_CHARACTERS = 32;

/** Of the bucket that every namespace may have. */
export const NAMESPACE_BUCKET = 'bucket';

/** What begins so was made for one session, project or conversation; callers cannot choose such a name for a new volume. */
const reserved = /^(session|project|conversation)-/;

export function isReservedName(name: string): boolean {
  return reserved.test(name);
}

/** `index` counts the unnamed volumes of the session from 0. */
export function sessionVolumeName(sessionId: string, index = 0): string {
  return index === 0 ? `session-${sessionId}` : `session-${sessionId}-${String(index + 1)}`;
}

/** The workspace of a project or conversation, whatever characters its id has. */
export function anchorVolumeName(kind: 'project' | 'conversation', id: string): string {
  return `${kind}-${createHash('sha256').update(id).digest('hex').slice(0, 20)}`;
}

export function volumeId(namespace: string, type: VolumeType, name: string): string {
  return createHash('sha256').update(`${namespace}\n${type}\n${name}`).digest('hex').slice(0, ID_CHARACTERS);
}

/** The bucket that Berth makes for a volume; the one every session of the namespace has in `BUCKET_NAME` for the namespace's own. */
export function bucketOf(installation: string, k8sNamespace: string, name: string): string {
  return name === NAMESPACE_BUCKET ? bucketName(installation, k8sNamespace) : bucketName(`${installation}/${name}`, k8sNamespace);
}

/** Whether a name is of the form that Berth gives its own buckets: those are reached by their volume alone, never by their name. */
export function looksLikeOurs(name: string, namespacePrefix: string): boolean {
  return name.startsWith(`${namespacePrefix}-`) && /-[0-9a-f]{10}$/.test(name);
}

/** Made for this session, or for the project or conversation whose session it is: so it goes with it unless it is preserved. */
export function madeFor(
  volume: Pick<VolumeDocument, 'name'>,
  session: { readonly id: string; readonly project_id: string | null; readonly conversation_id: string | null },
): boolean {
  const { name } = volume;
  if (name === sessionVolumeName(session.id) || name.startsWith(`${sessionVolumeName(session.id)}-`)) return true;
  if (session.project_id !== null && name === anchorVolumeName('project', session.project_id)) return true;
  return session.conversation_id !== null && name === anchorVolumeName('conversation', session.conversation_id);
}
