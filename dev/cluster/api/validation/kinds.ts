/**
 * Which checks a kind has beside those of its metadata.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Kind } from '../resources.ts';
import type { FieldFault } from '../status.ts';
import {
  decodeClaim,
  decodeLimitRange,
  decodeQuota,
  decodeSecret,
  validateClaim,
  validateClaimUpdate,
  validateSecret,
  validateSecretUpdate,
} from './others.ts';
import { decodePod, validatePod, validatePodUpdate } from './pod.ts';

/** Throws 400 for what cannot be an object of this kind at all. */
export function decodeKind(kind: Kind, object: KubernetesObject): void {
  switch (kind.plural) {
    case 'pods':
      return decodePod(object);
    case 'secrets':
      return decodeSecret(object);
    case 'persistentvolumeclaims':
      return decodeClaim(object);
    case 'resourcequotas':
      return decodeQuota(object);
    case 'limitranges':
      return decodeLimitRange(object);
  }
}

export function validateKind(kind: Kind, object: KubernetesObject): readonly FieldFault[] {
  switch (kind.plural) {
    case 'pods':
      return validatePod(object);
    case 'secrets':
      return validateSecret(object);
    case 'persistentvolumeclaims':
      return validateClaim(object);
    default:
      return [];
  }
}

export function validateKindUpdate(kind: Kind, next: KubernetesObject, current: KubernetesObject): readonly FieldFault[] {
  switch (kind.plural) {
    case 'pods':
      return validatePodUpdate(next, current);
    case 'secrets':
      return [...validateSecret(next), ...validateSecretUpdate(next, current)];
    case 'persistentvolumeclaims':
      return validateClaimUpdate(next, current);
    default:
      return [];
  }
}
