import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { podSecurityViolation } from '../../../../dev/cluster/api/admission/pod-security.ts';

const safe: V1Container = { name: 'c', image: 'x', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } };
const spec: V1PodSpec = { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }, containers: [safe] };

function withContext(change: V1Container['securityContext']): V1PodSpec {
  return { ...spec, containers: [{ ...safe, securityContext: { ...safe.securityContext, ...change } }] };
}

// The texts are those that Kubernetes 1.34 answers for the same pods.
describe('restricted', () => {
  it('lets a hardened pod in', () => {
    expect(podSecurityViolation({ spec }, 'restricted')).toBeUndefined();
  });

  it('names all that a bare pod lacks', () => {
    expect(podSecurityViolation({ spec: { containers: [{ name: 'c', image: 'x' }] } }, 'restricted')).toBe(
      'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it('says which of several containers break what', () => {
    const pod: V1PodSpec = {
      hostNetwork: true,
      securityContext: { runAsUser: 0, runAsNonRoot: true, seccompProfile: { type: 'Unconfined' } },
      volumes: [
        { name: 'h', hostPath: { path: '/' } },
        { name: 'n', nfs: { server: 'a', path: '/' } },
      ],
      containers: [
        {
          name: 'c',
          image: 'x',
          securityContext: { allowPrivilegeEscalation: false, runAsUser: 0, capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } },
        },
        { name: 'd', image: 'x', securityContext: { runAsNonRoot: false } },
        { name: 'e', image: 'x' },
      ],
    };
    expect(podSecurityViolation({ spec: pod }, 'restricted')).toBe(
      'violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true), ' +
        'allowPrivilegeEscalation != false (containers "d", "e" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (containers "d", "e" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "SYS_ADMIN" in securityContext.capabilities.add), ' +
        'restricted volume types (volumes "h", "n" use restricted volume types "hostPath", "nfs"), ' +
        'runAsNonRoot != true (container "d" must not set securityContext.runAsNonRoot=false), ' +
        'runAsUser=0 (pod and container "c" must not set runAsUser=0), ' +
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    );
  });

  const cases: readonly (readonly [rule: string, pod: V1PodSpec])[] = [
    ['privileged', withContext({ privileged: true })],
    ['allowPrivilegeEscalation != false', withContext({ allowPrivilegeEscalation: true })],
    ['unrestricted capabilities', withContext({ capabilities: { drop: ['NET_RAW'] } })],
    ['unrestricted capabilities', withContext({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } })],
    ['runAsNonRoot != true', withContext({ runAsNonRoot: false })],
    ['runAsUser=0', withContext({ runAsUser: 0 })],
    ['seccompProfile', withContext({ seccompProfile: { type: 'Unconfined' } })],
    ['restricted volume types', { ...spec, volumes: [{ name: 'v', hostPath: { path: '/' } }] }],
    ['host namespaces', { ...spec, hostPID: true }],
    ['hostPort', { ...spec, containers: [{ ...safe, ports: [{ containerPort: 80, hostPort: 80 }] }] }],
    ['forbidden sysctls', { ...spec, securityContext: { ...spec.securityContext, sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }],
    [
      'allowPrivilegeEscalation != false',
      { ...spec, initContainers: [{ name: 'i', image: 'x', securityContext: { capabilities: { drop: ['ALL'] } } }] },
    ],
  ];
  it.each(cases)('refuses for %j alone', (rule, pod) => {
    expect(podSecurityViolation({ spec: pod }, 'restricted')).toMatch(
      new RegExp(`^violates PodSecurity "restricted:latest": ${rule} \\([^()]*(\\([^()]*\\)[^()]*)*\\)$`),
    );
  });

  it('lets NET_BIND_SERVICE and the volume types of the standard in', () => {
    const pod = {
      ...withContext({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }),
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 's', secret: { secretName: 's' } },
        { name: 'p', persistentVolumeClaim: { claimName: 'p' } },
      ],
    };
    expect(podSecurityViolation({ spec: pod }, 'restricted')).toBeUndefined();
  });
});

describe('baseline', () => {
  it('lets a bare pod in, and refuses what reaches for the host', () => {
    expect(podSecurityViolation({ spec: { containers: [{ name: 'c', image: 'x' }] } }, 'baseline')).toBeUndefined();
    const pod: V1PodSpec = {
      hostPID: true,
      volumes: [{ name: 'h', hostPath: { path: '/' } }],
      containers: [{ name: 'c', image: 'x', securityContext: { privileged: true, capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } } }],
    };
    const text = podSecurityViolation({ spec: pod }, 'baseline');
    for (const part of [
      'host namespaces (hostPID=true)',
      'privileged (container "c" must not set securityContext.privileged=true)',
      'must not include "SYS_ADMIN"',
      'hostPath volumes (volume "h")',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('has nothing to say of privileged namespaces', () => {
    expect(podSecurityViolation({ spec: { hostPID: true, containers: [] } }, 'privileged')).toBeUndefined();
  });
});
