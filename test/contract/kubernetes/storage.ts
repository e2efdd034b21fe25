/**
 * Claims that outlive their pods.
 *
 * @module
 */
import type { V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { callOptions } from '../../../shared/kubernetes/call-options.ts';
import { mountLabel } from '../../../shared/pods/names.ts';
import { eventually, isReady } from './rig.ts';
import type { Subject } from './suite.ts';

export function describeStorage({ rig, shared }: Subject): void {
  describe('a claim', () => {
    const claimBody = (name: string, storageClassName: string, storage: string): V1PersistentVolumeClaim => ({
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage } } },
    });
    const withClaim = (namespace: string, claimName = 'data'): V1Pod => {
      const body = rig().podBody(namespace);
      if (body.spec !== undefined) {
        body.spec.volumes = [...(body.spec.volumes ?? []), { name: 'data', persistentVolumeClaim: { claimName } }];
        for (const container of body.spec.containers)
          container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'data', mountPath: '/workspace/data' }];
      }
      return body;
    };

    test('waits for its first pod, then is bound, and keeps its files for the next pod', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      await core.createNamespacedPersistentVolumeClaim({ namespace, body: claimBody('data', 'standard-rwo', '1Gi') });
      const phase = async () => (await core.readNamespacedPersistentVolumeClaim({ namespace, name: 'data' })).status?.phase;
      expect(await phase()).toBe('Pending');

      const first = await rig().create(namespace, withClaim(namespace));
      await rig().waitForPod(namespace, first, isReady);
      expect(await phase()).toBe('Bound');
      await rig().sh(namespace, first, 'echo kept > "$HOME/data/file"');
      await core.deleteNamespacedPod({ namespace, name: first });
      await rig().waitForPodGone(namespace, first);

      const second = await rig().create(namespace, withClaim(namespace));
      await rig().waitForPod(namespace, second, isReady);
      expect((await rig().sh(namespace, second, 'cat "$HOME/data/file"')).stdout).toBe('kept\n');

      await core.deleteNamespacedPersistentVolumeClaim({ namespace, name: 'data' });
      expect((await core.readNamespacedPersistentVolumeClaim({ namespace, name: 'data' })).metadata?.deletionTimestamp).toBeInstanceOf(
        Date,
      );
      await core.deleteNamespacedPod({ namespace, name: second });
      await eventually(
        async () => (await rig().refusalStatus(core.readNamespacedPersistentVolumeClaim({ namespace, name: 'data' })))?.code === 404,
      );
    });

    test('grows once it is bound, not before, and never shrinks', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const name = 'growing';
      const resize = (storage: string): Promise<V1PersistentVolumeClaim> =>
        core.patchNamespacedPersistentVolumeClaim(
          { namespace, name, body: { spec: { resources: { requests: { storage } } } } },
          callOptions({ patch: 'merge' }),
        );
      await core.createNamespacedPersistentVolumeClaim({ namespace, body: claimBody(name, 'standard-rwo', '1Gi') });
      expect(await rig().refusalStatus(resize('2Gi'))).toMatchObject({ code: 422 });
      const pod = await rig().create(namespace, withClaim(namespace, name));
      await rig().waitForPod(namespace, pod, isReady);
      expect((await resize('2Gi')).spec?.resources?.requests).toEqual({ storage: '2Gi' });
      expect(await rig().refusalStatus(resize('512Mi'))).toMatchObject({ code: 422 });
      await core.deleteNamespacedPod({ namespace, name: pod });
      await core.deleteNamespacedPersistentVolumeClaim({ namespace, name });
    });

    test('lets its first pod choose a node, by an affinity that only itself meets, and the next ones follow', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const label = mountLabel('together');
      const together = (): V1Pod => {
        const body = rig().podBody(namespace);
        const term = { labelSelector: { matchLabels: { [label]: 'true' } }, topologyKey: 'kubernetes.io/hostname' };
        body.metadata = { ...body.metadata, labels: { ...body.metadata?.labels, [label]: 'true' } };
        if (body.spec !== undefined) body.spec.affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
        return body;
      };
      const first = await rig().create(namespace, together());
      const { spec } = await rig().waitForPod(namespace, first, isReady);
      const second = await rig().create(namespace, together());
      expect((await rig().waitForPod(namespace, second, isReady)).spec?.nodeName).toBe(spec?.nodeName);
      for (const name of [first, second]) await core.deleteNamespacedPod({ namespace, name });
    });

    test('of a class that is not there is never bound; an event of it says why, and its pod finds no node', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const name = 'never';
      await core.createNamespacedPersistentVolumeClaim({ namespace, body: claimBody(name, 'no-such-class', '1Gi') });
      const pod = await rig().create(namespace, withClaim(namespace, name));
      const { status } = await rig().waitForPod(
        namespace,
        pod,
        (now) => now.status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable') ?? false,
      );
      expect(status?.conditions?.find(({ type }) => type === 'PodScheduled')).toMatchObject({
        status: 'False',
        message: expect.stringContaining('unbound immediate PersistentVolumeClaims') as string,
      });
      const fieldSelector = `involvedObject.kind=PersistentVolumeClaim,involvedObject.name=${name}`;
      await eventually(async () => {
        const { items } = await core.listNamespacedEvent({ namespace, fieldSelector });
        return items.some(
          ({ type, reason, message }) =>
            type === 'Warning' && reason === 'ProvisioningFailed' && message === 'storageclass.storage.k8s.io "no-such-class" not found',
        );
      });
      await core.deleteNamespacedPod({ namespace, name: pod });
      await core.deleteNamespacedPersistentVolumeClaim({ namespace, name });
    });
  });
}
