import type { KubernetesObject, V1PersistentVolumeClaim, V1Pod, V1ResourceQuota } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { admitQuota, sumUsage, usageOf } from '../../../../dev/cluster/api/admission/quota.ts';
import { formatQuantity } from '../../../../dev/cluster/api/quantity.ts';
import { claims, networkPolicies, pods, secrets } from '../../../../dev/cluster/api/resources.ts';
import type { Kind } from '../../../../dev/cluster/api/resources.ts';

function pod(name: string, requests: Record<string, string> = {}, limits: Record<string, string> = {}): V1Pod {
  return {
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests, limits } }] },
    status: { phase: 'Running' },
  };
}

function admit(kind: Kind, object: KubernetesObject, hard: Record<string, string>, present: readonly KubernetesObject[]): void {
  const quota: V1ResourceQuota = { metadata: { name: 'q' }, spec: { hard } };
  admitQuota(kind, object, quota, (names) =>
    sumUsage(
      names,
      present.map((item) => usageOf(kind, item)),
    ),
  );
}

describe('usage', () => {
  it('counts requests, limits and the pod itself; requests also under their bare name', () => {
    const usage = usageOf(pods, pod('a', { cpu: '100m' }, { memory: '1Gi' }));
    expect(Object.fromEntries([...usage].map(([name, quantity]) => [name, formatQuantity(quantity)]))).toEqual({
      'count/pods': '1',
      pods: '1',
      'requests.cpu': '100m',
      cpu: '100m',
      'limits.memory': '1Gi',
    });
  });

  it('takes the largest init container where it needs more than all containers together', () => {
    const object: V1Pod = {
      spec: {
        containers: [
          { name: 'c', resources: { requests: { cpu: '1' } } },
          { name: 'd', resources: { requests: { cpu: '1' } } },
        ],
        initContainers: [{ name: 'i', resources: { requests: { cpu: '5' } } }],
      },
    };
    expect(usageOf(pods, object).get('requests.cpu')?.nano).toBe(5_000_000_000n);
  });

  it('counts an ended pod only as an object', () => {
    expect([...usageOf(pods, { ...pod('a', { cpu: '1' }), status: { phase: 'Succeeded' } } as V1Pod).keys()]).toEqual(['count/pods']);
  });

  it("counts a claim under its storage class, and a group's kind under its full name", () => {
    const claim: V1PersistentVolumeClaim = { spec: { storageClassName: 'standard-rwo', resources: { requests: { storage: '2Gi' } } } };
    expect([...usageOf(claims, claim).keys()]).toEqual([
      'count/persistentvolumeclaims',
      'persistentvolumeclaims',
      'requests.storage',
      'standard-rwo.storageclass.storage.k8s.io/requests.storage',
      'standard-rwo.storageclass.storage.k8s.io/persistentvolumeclaims',
    ]);
    expect([...usageOf(networkPolicies, {}).keys()]).toEqual(['count/networkpolicies.networking.k8s.io']);
  });
});

// The texts are those that Kubernetes 1.34 answers.
describe('admission', () => {
  it('lets in what just fits', () => {
    expect(() => admit(pods, pod('b'), { pods: '2' }, [pod('a')])).not.toThrow();
  });

  it('names every limit that is passed', () => {
    const full = [pod('a', { cpu: '1000' }, { memory: '0' }), pod('b', {}, { memory: '0' }), pod('c', {}, { memory: '0' })];
    const asked = pod('e1', { cpu: '900m' }, { memory: '2Gi' });
    expect(() => admit(pods, asked, { pods: '3', 'requests.cpu': '1', 'limits.memory': '1Gi' }, full)).toThrow(
      'pods "e1" is forbidden: exceeded quota: q, requested: limits.memory=2Gi,pods=1,requests.cpu=900m, used: limits.memory=0,pods=3,requests.cpu=1k, limited: limits.memory=1Gi,pods=3,requests.cpu=1',
    );
  });

  it('demands that containers say what is limited', () => {
    const silent: V1Pod = { metadata: { name: 'e1' }, spec: { containers: [{ name: 'c' }, { name: 'd' }] } };
    expect(() => admit(pods, silent, { 'requests.cpu': '1', 'limits.memory': '1Gi' }, [])).toThrow(
      'pods "e1" is forbidden: failed quota: q: must specify limits.memory for: c,d; requests.cpu for: c,d',
    );
  });

  it('counts objects of any kind', () => {
    expect(() => admit(secrets, { metadata: { name: 's2' } }, { 'count/secrets': '1' }, [{}])).toThrow(
      'secrets "s2" is forbidden: exceeded quota: q, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1',
    );
  });

  it('lets everything pass that its quota does not name', () => {
    expect(() => admit(secrets, { metadata: { name: 's' } }, { pods: '0' }, [])).not.toThrow();
  });
});
