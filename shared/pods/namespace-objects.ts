/**
 * What stands in a tenant's namespace before its first pod: who may run there, how much, and what it may talk to. Pure.
 *
 * @module
 */
import type { V1LimitRange, V1Namespace, V1NetworkPolicy, V1ObjectMeta, V1ResourceQuota, V1ServiceAccount } from '@kubernetes/client-node';
import { annotations, limitRangeName, ownerLabels, quotaName, serviceAccountName } from './names.ts';
import { networkPolicies, type NetworkInput } from './network-policies.ts';

export interface NamespaceInput {
  readonly installation: string;
  /** Its name in Kubernetes, and as the caller gave it. */
  readonly kubernetesNamespace: string;
  readonly namespace: string;
  readonly owner: string;
  /** The owner's limits. */
  readonly entitlements: {
    readonly sessions: number;
    readonly jobs: number;
    readonly cpu: number;
    readonly memoryGib: number;
    readonly claims: number;
    readonly storageGib: number;
  };
  readonly network: NetworkInput;
}

export interface NamespaceObjects {
  readonly namespace: V1Namespace;
  readonly serviceAccount: V1ServiceAccount;
  readonly resourceQuota: V1ResourceQuota;
  readonly limitRange: V1LimitRange;
  readonly networkPolicies: readonly V1NetworkPolicy[];
}

export function buildNamespaceObjects(input: NamespaceInput): NamespaceObjects {
  const named = (name: string): V1ObjectMeta => ({
    name,
    namespace: input.kubernetesNamespace,
    labels: ownerLabels(input.installation, input.owner),
    annotations: { [annotations.user]: input.owner },
  });
  return {
    namespace: buildNamespace(input),
    serviceAccount: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: named(serviceAccountName), automountServiceAccountToken: false },
    resourceQuota: { apiVersion: 'v1', kind: 'ResourceQuota', metadata: named(quotaName), spec: { hard: quota(input.entitlements) } },
    limitRange: { apiVersion: 'v1', kind: 'LimitRange', metadata: named(limitRangeName), spec: { limits: [containerDefaults] } },
    networkPolicies: networkPolicies(input.network).map(({ name, spec }) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: named(name),
      spec,
    })),
  };
}

function buildNamespace(input: NamespaceInput): V1Namespace {
  const podSecurity = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/audit': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  };
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: input.kubernetesNamespace,
      labels: { ...ownerLabels(input.installation, input.owner), ...podSecurity },
      annotations: { [annotations.user]: input.owner, [annotations.namespace]: input.namespace },
    },
  };
}

// A net, not the rule: admission in the store decides. Twice, because pods that are still ending count here and no longer there.
function quota({ sessions, jobs, cpu, memoryGib, claims, storageGib }: NamespaceInput['entitlements']): Record<string, string> {
  return {
    pods: String(2 * (sessions + jobs)),
    'requests.cpu': String(2 * cpu),
    'requests.memory': `${String(2 * memoryGib)}Gi`,
    persistentvolumeclaims: String(2 * claims),
    'requests.storage': `${String(2 * storageGib)}Gi`,
  };
}

// For a container that states nothing, which the quota would refuse otherwise. Berth's own always state theirs.
const containerDefaults = {
  type: 'Container',
  defaultRequest: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '256Mi' },
  _default: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '2Gi' },
};
