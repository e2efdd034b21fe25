/**
 * The kinds that a kubelet reads and writes, and the one node there is.
 *
 * @module
 */
import type { Resource } from '../port.ts';

/** What the scheduler writes into `spec.nodeName`. */
export const NODE_NAME = 'berth-local';

/** Pods share the machine's network, so this is where the node is. */
export const NODE_ADDRESS = '127.0.0.1';

function core(plural: string): Resource {
  return { group: '', version: 'v1', plural };
}

export const pods = core('pods');
export const secrets = core('secrets');
export const configMaps = core('configmaps');
export const claims = core('persistentvolumeclaims');
export const persistentVolumes = core('persistentvolumes');
export { snapshotContentResource as snapshotContents } from '../snapshot-objects.ts';
