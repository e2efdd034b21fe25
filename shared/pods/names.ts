/**
 * The one place for what Berth calls things in Kubernetes: names, labels, annotations.
 *
 * @module
 */
import { createHash } from 'node:crypto';

export const labels = {
  installation: 'berth.dev/installation',
  session: 'berth.dev/session',
  user: 'berth.dev/user',
  /** Counts the pods of one session, from 1. */
  generation: 'berth.dev/generation',
  /** `open` on pods whose template lets them reach every port of the internet. */
  egress: 'berth.dev/egress',
  /** On claims and snapshots: the volume that they are of. */
  volume: 'berth.dev/volume',
  /** On claims: which of the volumes that have had this id one after another. */
  incarnation: 'berth.dev/incarnation',
  /** On snapshots: which of a volume's. */
  snapshot: 'berth.dev/snapshot',
  /** `true` on pods that mount a bucket: they reach the metadata server, for their service account's tokens. */
  bucket: 'berth.dev/bucket',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const annotations = {
  /** The user as given; the label holds its slug. */
  user: 'berth.dev/user',
  /** The namespace as given; the object's name holds its slug. */
  namespace: 'berth.dev/namespace',
  /** The volume's name as given. */
  volumeName: 'berth.dev/volume-name',
  safeToEvict: 'cluster-autoscaler.kubernetes.io/safe-to-evict',
} as const;

export const managedBy = 'berth';
export const serviceAccountName = 'berth-session';
export const quotaName = 'berth';
export const limitRangeName = 'berth';
export const containerName = 'session';

/** The helper's port in the pod, which nothing else may use. */
export { helperPort } from '../helper/address.ts';

export function podName(sessionId: string): string {
  return `berth-${sessionId}`;
}

export function claimName(volumeId: string): string {
  return `berth-${volumeId}`;
}

/**
 * Pods that mount a claim which one node alone may have carry this label and have an affinity to it. The claim is in the key: a pod may
 * mount several, and a label has one value.
 */
export function mountLabel(claim: string): string {
  return `volume.berth.dev/${claim}`;
}

export function snapshotName(snapshotId: string): string {
  return `berth-${snapshotId}`;
}

/** The session's workspace and home. */
export const workspacePath = '/workspace';

/** Where the helper has its program, its socket and what it keeps on disk. */
export const helperFolder = '/berth';

/** The Secret that only the helper of this generation's pod and the control plane know. */
export function helperSecretName(sessionId: string, generation: number): string {
  return `berth-${sessionId}-helper-${String(generation)}`;
}

/** The Secret with the values of the session's environment. */
export function envSecretName(sessionId: string): string {
  return `berth-${sessionId}`;
}

// RFC 1123: the narrowest of Kubernetes' rules for names, and a valid label value, too.
const MAX_LENGTH = 63;
const HASH_LENGTH = 12;
const SEPARATOR = '--';
const SAFE = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/**
 * A word that may stand in a name and in a label's value, for any string. What is safe already stays as it is; all else is cleaned and
 * gets a hash of the original after `--`. A word with `--` in it counts as unsafe, so no safe word can be another one's slug.
 */
export function slug(text: string, maxLength: number = MAX_LENGTH): string {
  if (SAFE.test(text) && text.length <= maxLength && !text.includes(SEPARATOR)) return text;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  const readable = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, maxLength - HASH_LENGTH - SEPARATOR.length)
    .replaceAll(/^-+|-+$/g, '');
  return readable === '' ? `x${SEPARATOR}${hash}` : `${readable}${SEPARATOR}${hash}`;
}

export function userSlug(user: string): string {
  return slug(user);
}

/** The Kubernetes namespace of one of Berth's namespaces. The prefix has at most 20 characters. */
export function namespaceName(prefix: string, namespace: string): string {
  return `${prefix}-${slug(namespace, MAX_LENGTH - prefix.length - 1)}`;
}

/** What everything that Berth creates carries, so that the sweep touches nothing else. */
export function ownerLabels(installation: string, user: string): Record<string, string> {
  return { [labels.managedBy]: managedBy, [labels.installation]: installation, [labels.user]: userSlug(user) };
}

export function sessionLabels(installation: string, user: string, sessionId: string): Record<string, string> {
  return { ...ownerLabels(installation, user), [labels.session]: sessionId };
}
