/**
 * Looking at a Kubernetes namespace.
 *
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import { isNotFound } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { labels } from '../pods/names.ts';

/** The Kubernetes namespace, or `undefined` where there is none. */
export async function readNamespace(kubernetes: Kubernetes, name: string): Promise<V1Namespace | undefined> {
  try {
    return await kubernetes.core.readNamespace({ name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The same, if this installation made it. Another's of that name is nothing that Berth may touch. */
export async function readOwnNamespace(kubernetes: Kubernetes, name: string, installation: string): Promise<V1Namespace | undefined> {
  const present = await readNamespace(kubernetes, name);
  return present?.metadata?.labels?.[labels.installation] === installation ? present : undefined;
}
