/**
 * Claims that outlive their pods.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { eventually, isReady } from './rig.ts';
import type { Subject } from './suite.ts';

export function describeStorage({ rig, shared }: Subject): void {
  describe('a claim', () => {
    const withClaim = (namespace: string): V1Pod => {
      const body = rig().podBody(namespace);
      if (body.spec !== undefined) {
        body.spec.volumes = [...(body.spec.volumes ?? []), { name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
        for (const container of body.spec.containers)
          container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'data', mountPath: '/workspace/data' }];
      }
      return body;
    };

    test('waits for its first pod, then is bound, and keeps its files for the next pod', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const body = {
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'standard-rwo', resources: { requests: { storage: '1Gi' } } },
      };
      await core.createNamespacedPersistentVolumeClaim({ namespace, body });
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
  });
}
