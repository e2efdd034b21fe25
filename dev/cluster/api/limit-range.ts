/**
 * A LimitRange as it is on the wire. The client's own type renames `default` to `_default`, which objects in the store never have.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';

export type Quantities = Record<string, string>;

export interface LimitItem {
  type: string;
  default?: Quantities;
  defaultRequest?: Quantities;
  max?: Quantities;
  min?: Quantities;
}

export interface LimitRange extends KubernetesObject {
  spec?: { limits: LimitItem[] };
}
