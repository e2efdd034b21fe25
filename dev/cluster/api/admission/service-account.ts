/**
 * A pod runs under a ServiceAccount that exists. The token volume is not made: no pod here may call this API.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { pods } from '../resources.ts';
import { forbidden } from '../status.ts';

/** Names the account in the pod. Throws 403 while the account does not exist (`default` appears shortly after its namespace). */
export function admitServiceAccount(pod: V1Pod, namespace: string, exists: (name: string) => boolean): void {
  if (pod.spec === undefined) return;
  const name = pod.spec.serviceAccountName ?? pod.spec.serviceAccount ?? 'default';
  if (!exists(name)) {
    throw forbidden(
      pods,
      pod.metadata?.name ?? '',
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }
  pod.spec.serviceAccountName = name;
  pod.spec.serviceAccount = name;
}
