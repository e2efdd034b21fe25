/**
 * Where in a pod a volume may be mounted. Pure.
 *
 * @module
 */
import { posix } from 'node:path';

/** Of a bucket beside a volume that has the workspace. */
export const bucketPath = '/bucket';

/** What the kernel, the kubelet or Berth itself mounts, and what lies below. `/tmp` is a volume of its own. */
const closedTrees = ['/proc', '/sys', '/dev', '/berth', '/tmp', '/run', '/var/run'];
/** Without these no program of the image starts. */
const closedFolders = ['/', '/bin', '/sbin', '/lib', '/lib64', '/usr', '/usr/bin', '/usr/lib', '/usr/local', '/etc', '/var'];

/**
 * What is wrong with the path, in words for its field; `undefined` where nothing is. Kubernetes refuses colons in mount paths
 * (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container, `mountPath`).
 */
export function mountPathFault(path: string): string | undefined {
  if (!path.startsWith('/')) return 'must be absolute, such as /workspace';
  if (/[:\p{Cc}]/u.test(path)) return 'cannot hold a colon or control characters';
  if (posix.normalize(path) !== path || (path.length > 1 && path.endsWith('/')))
    return 'must be written in its shortest form, without . .. // or a slash at the end';
  if (closedFolders.includes(path)) return `cannot be ${path}: the image's own programs are there`;
  const tree = closedTrees.find((closed) => path === closed || path.startsWith(`${closed}/`));
  return tree === undefined ? undefined : `cannot be at or below ${tree}`;
}
