/**
 * What no session may weaken: the Pod Security Standard `restricted`
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards/), and nothing of the cluster's in the pod.
 *
 * @module
 */
import type { V1Container } from '@kubernetes/client-node';
import type { PodDraft } from './manifest.ts';
import { serviceAccountName } from './names.ts';

const SESSION_UID = 1_000;

/** Sets every security-relevant field, whatever was there before. Applied last. */
export function enforcePolicy(pod: PodDraft): PodDraft {
  const { initContainers, ...spec } = pod.spec;
  return {
    ...pod,
    spec: {
      ...spec,
      serviceAccountName,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      hostNetwork: false,
      hostPID: false,
      hostIPC: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: SESSION_UID,
        runAsGroup: SESSION_UID,
        fsGroup: SESSION_UID,
        // Else every start would change the owner of every file of a volume, which takes minutes for a million of them.
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: spec.containers.map(restrict),
      ...(initContainers !== undefined && { initContainers: initContainers.map(restrict) }),
    },
  };
}

function restrict(container: V1Container): V1Container {
  return { ...container, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } };
}
