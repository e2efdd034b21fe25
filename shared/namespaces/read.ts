/**
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import { isNotFound } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';

/** The Kubernetes namespace, or `undefined` where there is none. */
export async function readNamespace(kubernetes: Kubernetes, name: string): Promise<V1Namespace | undefined> {
  try {
    return await kubernetes.core.readNamespace({ name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
