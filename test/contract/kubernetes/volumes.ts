/**
 * Volumes that live as long as their pod, and their limits.
 *
 * @module
 */
import type { V1EmptyDirVolumeSource, V1Pod } from '@kubernetes/client-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { isReady } from './rig.ts';
import type { Subject } from './suite.ts';

/** A kubelet looks at a volume once a minute, give or take, and every ten seconds at what it has seen. */
const EVICTED_WITHIN_MS = 150_000;

export function describeVolumes({ rig, shared, needs }: Subject): void {
  const withVolume = (namespace: string, emptyDir: V1EmptyDirVolumeSource, command?: readonly string[]): V1Pod => {
    const body = rig().podBody(namespace, command && { command });
    const { containers = [], volumes = [] } = body.spec ?? {};
    for (const container of containers)
      container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'extra', mountPath: '/extra' }];
    body.spec = { ...body.spec, containers, volumes: [...volumes, { name: 'extra', emptyDir }] };
    return body;
  };

  // A kubelet takes its time to see it, in which the other tests run.
  let overfull = '';
  beforeAll(async () => {
    const { namespace } = shared();
    const command = ['sh', '-c', 'head -c 3000000 /dev/zero > /extra/file; exec sleep 600'];
    overfull = await rig().create(namespace, withVolume(namespace, { sizeLimit: '1Mi' }, command));
  });

  describe.concurrent('a volume of the pod', () => {
    test('in memory is full at its limit, and the pod lives on', async (context) => {
      needs(context, 'memoryVolumes');
      const { namespace } = shared();
      const pod = await rig().create(namespace, withVolume(namespace, { medium: 'Memory', sizeLimit: '1Mi' }));
      await rig().waitForPod(namespace, pod, isReady);
      const script =
        'stat -f -c %T /extra; head -c 3000000 /dev/zero > /extra/file; stat -c %s /extra/file; rm /extra/file; echo 1 > /extra/file';
      const { stdout, stderr, exit } = await rig().sh(namespace, pod, script);
      expect([stdout, exit]).toEqual(['tmpfs\n1048576\n', { type: 'exited', exitCode: 0 }]);
      expect(stderr).toContain('No space left on device');
    });

    test('in memory outlives its container', async (context) => {
      needs(context, 'memoryVolumes');
      const { namespace } = shared();
      const body = withVolume(namespace, { medium: 'Memory', sizeLimit: '1Mi' }, [
        'sh',
        '-c',
        '[ -e /extra/file ] && exec sleep 600; echo kept > /extra/file; exit 3',
      ]);
      const pod = await rig().create(namespace, body);
      await rig().waitForPod(namespace, pod, (now) => now.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(now));
      expect((await rig().sh(namespace, pod, 'cat /extra/file')).stdout).toBe('kept\n');
    });

    test(
      'on disk that passes its limit costs the pod its life, and the reason is told',
      async () => {
        const failed = (pod: V1Pod): boolean => pod.status?.phase === 'Failed';
        const { status } = await rig().waitForPod(shared().namespace, overfull, failed, EVICTED_WITHIN_MS);
        expect(status).toMatchObject({ reason: 'Evicted', message: 'Usage of EmptyDir volume "extra" exceeds the limit "1Mi". ' });
        expect(status?.containerStatuses?.[0]?.ready).toBe(false);
      },
      EVICTED_WITHIN_MS + 10_000,
    );
  });
}
