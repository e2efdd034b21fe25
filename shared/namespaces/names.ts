/**
 * Names that follow from a namespace's or a user's.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { namespaceName, slug } from '../pods/names.ts';

const LONGEST_NAMESPACE = 40;
const OWN_PREFIX = 'u-';

/** The namespace a user has without asking for one. Nobody can ask for a name with this prefix, so it is never taken. */
export function ownNamespace(user: string): string {
  return `${OWN_PREFIX}${slug(user, LONGEST_NAMESPACE - OWN_PREFIX.length)}`;
}

/**
 * The Kubernetes namespace of a namespace. A user's own carries the installation too: every installation on a laptop has the same user
 * `local`, and two of them on one cluster must not stand in one another's way. A name that was chosen is taken as it is.
 */
export function kubernetesNamespace(prefix: string, installation: string, namespace: string): string {
  return namespaceName(prefix, namespace.startsWith(OWN_PREFIX) ? `${namespace}-${installation}` : namespace);
}

/**
 * The namespace's bucket, whether it was ever asked for or not. Bucket names are one space for all of Google Cloud, hence the digest
 * (https://cloud.google.com/storage/docs/buckets#naming).
 */
export function bucketName(installation: string, k8sNamespace: string): string {
  const digest = createHash('sha256').update(`${installation}/${k8sNamespace}`).digest('hex').slice(0, 10);
  return `${k8sNamespace.slice(0, 52).replace(/-+$/, '')}-${digest}`;
}
