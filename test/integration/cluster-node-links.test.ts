/**
 * Links that containers put into their volumes must not lead the node out of them: it may be root.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pods } from '../../dev/cluster/node/kinds.ts';
import { holdVolumes } from '../../dev/cluster/node/runtime/held-volumes.ts';
import { announceMissing, firstContainer, installedRuntimes, isReady, namespace, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

const annotated = { annotations: { 'gke-gcsfuse/volumes': 'true' } };
const mounted = { volumeMounts: [{ name: 'bucket', mountPath: '/bucket' }], workingDir: '/' };

function bucketWithin(prefix: string): Partial<V1PodSpec> {
  const volumeAttributes = { bucketName: 'shared', mountOptions: `implicit-dirs,only-dir=${prefix}` };
  return { volumes: [{ name: 'bucket', csi: { driver: 'gcsfuse.csi.storage.gke.io', volumeAttributes } }] };
}

describe.each(installed)('links in volumes with the runtime %s', (runtime) => {
  let node: TestNode;
  let folder: string;
  let bucket: string;
  let outside: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-links-'));
    bucket = join(folder, 'buckets', 'shared');
    outside = join(folder, 'outside');
    await mkdir(join(bucket, 'real'), { recursive: true, mode: 0o777 });
    await mkdir(outside);
    await writeFile(join(outside, 'secret'), 'secret\n');
    await symlink(outside, join(bucket, 'escape'));
    await symlink(outside, join(bucket, 'real', 'escape'));
    node = await startTestNode(runtime, { buckets: join(folder, 'buckets') });
  });
  afterAll(async () => {
    await node.end();
    await rm(folder, { recursive: true, force: true });
  });

  const wasRefused = (name: string): boolean =>
    node.objects.events.some(
      (event) => event.name === name && event.reason === 'FailedMount' && (event.message ?? '').includes('leaves the'),
    );

  test.each([
    ['last', 'escape'],
    ['inner', 'real/escape/made'],
    ['up', '../../outside'],
  ])('a prefix that leaves the bucket in its %s step is not mounted', async (step, prefix) => {
    const name = `prefix-${step}`;
    await node.run(name, mounted, bucketWithin(prefix), () => wasRefused(name), annotated);
    expect(isReady(await node.until(name, () => true))).toBe(false);
    expect(existsSync(join(outside, 'made'))).toBe(false);
    await node.remove(name, 0);
  });

  test('a prefix is a folder of the bucket, made where it is missing', async () => {
    await node.run('plain-prefix', mounted, bucketWithin('new/inner'), isReady, annotated);
    if (runtime !== 'plain') {
      const { code, stderr } = await node.exec('plain-prefix', ['sh', '-c', 'echo in > /bucket/file']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(existsSync(join(bucket, 'new', 'inner', 'file'))).toBe(true);
    }
    await node.remove('plain-prefix', 0);
    expect(existsSync(join(bucket, 'new', 'inner'))).toBe(true);
  });

  test.runIf(runtime !== 'plain')(
    'what was mounted stays mounted, though a link has its name when the container starts again',
    async () => {
      await mkdir(join(bucket, 'swapped'));
      await chmod(join(bucket, 'swapped'), 0o777);
      await writeFile(join(bucket, 'swapped', 'mine'), 'mine\n');
      const crash = {
        ...mounted,
        command: ['sh', '-c', 'ls /bucket; while [ ! -e /bucket/again ]; do sleep 0.05; done; rm /bucket/again'],
      };
      await node.run('swapped', crash, bucketWithin('swapped'), isReady, annotated);
      await rename(join(bucket, 'swapped'), join(bucket, 'moved'));
      await symlink(outside, join(bucket, 'swapped'));
      await writeFile(join(bucket, 'moved', 'again'), '');
      await node.until('swapped', (pod) => firstContainer(pod)?.restartCount === 1 && isReady(pod));
      await expect.poll(() => node.logs('swapped')).toBe('mine\n');
      await node.remove('swapped', 0);
    },
  );

  test.runIf(runtime === 'unshare')('a folder in whose place a link comes just before it is mounted is refused', async () => {
    const place = join(folder, 'place');
    await mkdir(place);
    const source = join(await realpath(bucket), 'escape');
    const held = holdVolumes([{ kind: 'folder', folder: place, source }], process.getuid?.() !== 0, 'test-links');
    await expect(held).rejects.toThrow('a link leads out of');
  });

  test('a subPath is not followed out of its volume', async () => {
    const linking = { name: 'first', image: 'python:3.11-slim', command: ['ln', '-s', outside, '/workspace/escape'] };
    const spec: Partial<V1PodSpec> = {
      volumes: [{ name: 'workspace', emptyDir: {} }],
      initContainers: [{ ...linking, volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }] }],
    };
    const mount = { volumeMounts: [{ name: 'workspace', mountPath: '/data', subPath: 'escape' }], workingDir: '/' };
    const isRefused = (pod: V1Pod): boolean => firstContainer(pod)?.state?.waiting?.reason === 'CreateContainerError';
    const pod = await node.run('sub-path', mount, spec, isRefused);
    expect(firstContainer(pod)?.state?.waiting?.message).toContain('failed to prepare subPath for volumeMount "workspace"');
    node.objects.markDeleted(pods, namespace, 'sub-path', 0);
  });
});
