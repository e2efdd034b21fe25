/**
 * What namespaces of the embedded cluster enforce, and how claims live.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { container, NS, refusal, startApiRig, until, untilGone, untilPresent } from '../unit/dev/cluster-api/api-rig.ts';
import type { ApiRig } from '../unit/dev/cluster-api/api-rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await startApiRig();
});

afterAll(() => rig.stop());

describe('namespaces', () => {
  it('take their content with them, and nothing new while they go', async () => {
    await rig.core.createNamespace({ body: { metadata: { name: 'leaving' } } });
    await rig.core.createNamespacedSecret({ namespace: 'leaving', body: { metadata: { name: 'held', finalizers: ['berth.test/hold'] } } });
    expect(await rig.core.deleteNamespace({ name: 'leaving' })).toMatchObject({ status: { phase: 'Terminating' } });
    expect(await refusal(rig.core.createNamespacedSecret({ namespace: 'leaving', body: { metadata: { name: 'late' } } }))).toMatchObject({
      code: 403,
      message: 'secrets "late" is forbidden: unable to create new content in namespace leaving because it is being terminated',
      details: {
        causes: [{ reason: 'NamespaceTerminating', message: 'namespace leaving is being terminated', field: 'metadata.namespace' }],
      },
    });
    const held = await rig.core.readNamespacedSecret({ name: 'held', namespace: 'leaving' });
    await rig.core.replaceNamespacedSecret({
      name: 'held',
      namespace: 'leaving',
      body: { ...held, metadata: { ...held.metadata, finalizers: [] } },
    });
    await untilGone(() => rig.core.readNamespace({ name: 'leaving' }));
    expect(await refusal(rig.core.createNamespacedSecret({ namespace: 'leaving', body: { metadata: { name: 'later' } } }))).toMatchObject({
      code: 404,
      message: 'namespaces "leaving" not found',
    });
  });

  it('enforce their Pod Security level', async () => {
    await rig.core.createNamespace({
      body: { metadata: { name: 'hard', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    });
    await untilPresent(() => rig.core.readNamespacedServiceAccount({ name: 'default', namespace: 'hard' }));
    const status = await refusal(
      rig.core.createNamespacedPod({ namespace: 'hard', body: { metadata: { name: 'soft' }, spec: { containers: [container()] } } }),
    );
    expect(status.code).toBe(403);
    expect(status.message).toContain(
      'pods "soft" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set',
    );
  });

  it('hold quotas, whose status follows, and limits, whose defaults are written into pods', async () => {
    await rig.core.createNamespace({ body: { metadata: { name: 'small' } } });
    await untilPresent(() => rig.core.readNamespacedServiceAccount({ name: 'default', namespace: 'small' }));
    await rig.core.createNamespacedResourceQuota({
      namespace: 'small',
      body: { metadata: { name: 'q' }, spec: { hard: { pods: '1', 'requests.cpu': '1' } } },
    });
    const limits = { type: 'Container', _default: { cpu: '200m' }, defaultRequest: { cpu: '50m' }, max: { cpu: '1' } };
    await rig.core.createNamespacedLimitRange({ namespace: 'small', body: { metadata: { name: 'l' }, spec: { limits: [limits] } } });
    const pod = (name: string, resources = {}): Promise<V1Pod> =>
      rig.core.createNamespacedPod({ namespace: 'small', body: { metadata: { name }, spec: { containers: [container({ resources })] } } });
    expect((await refusal(pod('large', { limits: { cpu: '2' } }))).message).toBe(
      'pods "large" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
    );
    const first = await pod('first');
    expect(first.spec?.containers[0]?.resources).toEqual({ requests: { cpu: '50m' }, limits: { cpu: '200m' } });
    expect(first.metadata?.annotations).toEqual({
      'kubernetes.io/limit-ranger': 'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
    });
    expect((await refusal(pod('second'))).message).toBe(
      'pods "second" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    );
    const quota = await until(async () => {
      const { status } = await rig.core.readNamespacedResourceQuota({ name: 'q', namespace: 'small' });
      return status?.used?.['pods'] === '1' ? status : undefined;
    });
    expect(quota).toEqual({ hard: { pods: '1', 'requests.cpu': '1' }, used: { pods: '1', 'requests.cpu': '50m' } });
  });
});

describe('claims', () => {
  it('wait for a pod, are bound for it, kept while it lives, and released with their volume', async () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } };
    const claim = await rig.core.createNamespacedPersistentVolumeClaim({ namespace: NS, body: { metadata: { name: 'disk' }, spec } });
    expect(claim).toMatchObject({
      spec: { storageClassName: 'standard-rwo', resources: { requests: { storage: '1Gi' } } },
      status: { phase: 'Pending' },
    });
    await rig.createPod('mounting', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'disk' } }] });
    const bound = await until(async () => {
      const read = await rig.core.readNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS });
      return read.status?.phase === 'Bound' ? read : undefined;
    });
    const volume = `pvc-${claim.metadata?.uid}`;
    expect(bound).toMatchObject({ spec: { volumeName: volume }, status: { capacity: { storage: '1Gi' } } });
    await rig.core.deleteNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS });
    expect((await rig.core.readNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS })).metadata?.deletionTimestamp).toBeDefined();
    await rig.core.deleteNamespacedPod({ name: 'mounting', namespace: NS });
    await untilGone(() => rig.core.readNamespacedPersistentVolumeClaim({ name: 'disk', namespace: NS }));
    await untilGone(() => rig.core.readPersistentVolume({ name: volume }));
  });

  it('may grow once they are bound, and never shrink', async () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    await rig.core.createNamespacedPersistentVolumeClaim({ namespace: NS, body: { metadata: { name: 'growing' }, spec } });
    await rig.createPod('grower', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'growing' } }] });
    const resize = (size: string): Promise<Response> =>
      rig.call(`/api/v1/namespaces/${NS}/persistentvolumeclaims/growing`, {
        method: 'PATCH',
        body: JSON.stringify({ spec: { resources: { requests: { storage: size } } } }),
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await until(async () =>
      (await rig.core.readNamespacedPersistentVolumeClaim({ name: 'growing', namespace: NS })).status?.phase === 'Bound' ? true : undefined,
    );
    expect((await resize('2Gi')).status).toBe(200);
    await until(async () =>
      (await rig.core.readNamespacedPersistentVolumeClaim({ name: 'growing', namespace: NS })).status?.capacity?.['storage'] === '2Gi'
        ? true
        : undefined,
    );
    expect((await resize('1Gi')).status).toBe(422);
  });
});
