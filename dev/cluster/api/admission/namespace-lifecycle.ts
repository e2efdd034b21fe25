/**
 * Nothing is created in a namespace that is not there or is going away.
 *
 * @module
 */
import type { KubernetesObject, V1Namespace } from '@kubernetes/client-node';
import { namespaces } from '../resources.ts';
import type { Kind } from '../resources.ts';
import { forbidden, notFound } from '../status.ts';

/** Throws 404 for a missing namespace, 403 with the cause `NamespaceTerminating` for one that is being deleted. */
export function admitNamespace(kind: Kind, object: KubernetesObject, name: string, namespace: V1Namespace | undefined): void {
  if (namespace === undefined) throw notFound(namespaces, name);
  if (namespace.metadata?.deletionTimestamp === undefined) return;
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${name} is being terminated`, field: 'metadata.namespace' };
  throw forbidden(kind, object.metadata?.name ?? '', `unable to create new content in namespace ${name} because it is being terminated`, [
    cause,
  ]);
}
