/**
 * What each part of the contract gets to be tried on.
 *
 * @module
 */
import type { ChannelKind } from '../../../shared/helper/model.ts';
import type { PodTarget } from '../../../shared/helper/port.ts';
import type { ClusterAccess } from '../../../shared/kubernetes/access.ts';
import type { Rig } from '../kubernetes/rig.ts';
import type { HelperImage, Way, WayOptions } from './pods.ts';

export interface HelperCluster {
  readonly access: ClusterAccess;
  readonly capabilities: { readonly pidNamespace: boolean; readonly networkPolicy: boolean };
  stop(): Promise<void>;
}

/** What the behaviours get: getters, since the pod is there only once the tests run. */
export interface HelperSubject {
  readonly image: HelperImage;
  readonly channel: ChannelKind;
  readonly cluster: () => HelperCluster;
  readonly rig: () => Rig;
  readonly target: () => PodTarget;
  /** The way that the tests share. */
  readonly way: () => Way;
  /** One of the test's own, to count or to cut. */
  readonly open: (options?: Partial<WayOptions>) => Way;
  /** Of another image, for what one pod must not be able to do to another. */
  readonly neighbour: () => PodTarget;
}

export function started<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The cluster has not been started.');
  return value;
}
