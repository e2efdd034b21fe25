import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Container, V1Pod, V1PodSpec, V1Secret } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secrets } from '../../dev/cluster/node/kinds.ts';
import { announceMissing, installedRuntimes, isReady, namespace, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

/** Of an address in the file system of sockets, with its end. */
const LONGEST_SOCKET_PATH = 107;

describe.each(installed)('volumes of a pod with the runtime %s', (runtime) => {
  let node: TestNode;
  const sandboxed = runtime !== 'plain';

  beforeAll(async () => {
    node = await startTestNode(runtime, { volumeIntervalMs: 200 });
  });
  afterAll(async () => {
    await node.end();
  });

  const volumesOf = (pod: V1Pod): string => join(node.directory, 'pods', pod.metadata?.uid ?? '', 'volumes');
  const berth: [Partial<V1Container>, Partial<V1PodSpec>] = [
    {
      env: [{ name: 'BERTH_DIR', value: '/berth' }],
      volumeMounts: [
        { name: 'workspace', mountPath: '/workspace' },
        { name: 'berth', mountPath: '/berth' },
      ],
    },
    {
      volumes: [
        { name: 'workspace', emptyDir: {} },
        { name: 'berth', emptyDir: {} },
      ],
    },
  ];

  test('evicts a pod that fills one beyond its limit, and not one that keeps to it', async () => {
    const spec = { volumes: [{ name: 'workspace', emptyDir: { sizeLimit: '1Mi' } }] };
    const modest = await node.run('modest', { command: ['sh', '-c', 'head -c 500000 /dev/zero > file; exec sleep 3600'] }, spec);
    const evicted = await node.run(
      'greedy',
      { command: ['sh', '-c', 'head -c 3000000 /dev/zero > file; exec sleep 3600'] },
      spec,
      (pod) => pod.status?.phase === 'Failed',
    );
    expect(evicted.status).toMatchObject({
      reason: 'Evicted',
      message: 'Usage of EmptyDir volume "workspace" exceeds the limit "1Mi". ',
      containerStatuses: [{ state: { terminated: { reason: 'Error' } } }],
    });
    expect(node.objects.events).toContainEqual({ name: 'greedy', type: 'Warning', reason: 'Evicted', message: evicted.status?.message });
    expect(isReady(await node.until('modest', () => true))).toBe(true);
    expect(modest.metadata?.uid).not.toBe(evicted.metadata?.uid);
    await node.remove('modest', 0);
    await node.remove('greedy', 0);
  });

  test.runIf(sandboxed)('has those in memory for all containers of the pod, and takes them down with it', async () => {
    const mount = { name: 'memory', mountPath: '/memory' };
    const pod = await node.run(
      'memory',
      { volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }, mount] },
      {
        volumes: [
          { name: 'workspace', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        ],
        initContainers: [
          { name: 'first', image: 'python:3.11-slim', command: ['sh', '-c', 'echo before > /memory/file'], volumeMounts: [mount] },
        ],
      },
    );
    const { stdout, stderr } = await node.exec('memory', ['sh', '-c', 'cat /memory/file; head -c 3000000 /dev/zero > /memory/more']);
    expect(stdout).toBe('before\n');
    expect(stderr).toContain('No space left on device');
    // The machine itself sees none of it.
    expect(existsSync(join(volumesOf(pod), 'memory', 'file'))).toBe(false);
    await node.remove('memory', 0);
    expect(existsSync(volumesOf(pod))).toBe(false);
  });

  test('shows one volume within another', async () => {
    node.objects.create<V1Secret>(secrets, { metadata: { name: 'inner', namespace }, data: { key: 'aW5uZXI=' } });
    const [container, spec] = berth;
    const secret = { name: 'inner', mountPath: '/berth/secret', readOnly: true };
    await node.run(
      'nested',
      { ...container, volumeMounts: [secret, ...(container.volumeMounts ?? [])] },
      { volumes: [...(spec.volumes ?? []), { name: 'inner', secret: { secretName: 'inner', defaultMode: 0o400 } }] },
    );
    expect((await node.exec('nested', ['sh', '-c', 'cat "$BERTH_DIR/secret/key"'])).stdout).toBe('inner');
    await node.remove('nested', 0);
  });

  test('leaves room for the path of a socket, however deep the folder of the pod lies', async () => {
    const deep = await startTestNode(runtime, { subfolder: 'deep'.repeat(10) });
    await deep.run('socket', ...berth);
    const program = [
      'import os, socket',
      'path = os.environ["BERTH_DIR"] + "/run/helper.sock"',
      'os.makedirs(os.path.dirname(path))',
      's = socket.socket(socket.AF_UNIX); s.bind(path); print(len(path))',
    ].join('\n');
    const { stdout, stderr } = await deep.exec('socket', ['python3', '-c', program]);
    expect(stderr).toBe('');
    expect(Number(stdout)).toBeLessThanOrEqual(LONGEST_SOCKET_PATH);
    await deep.end();
  });

  test('gives a pod its own address, and what refers to it', async () => {
    const env = [
      { name: 'BERTH_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'LISTEN', value: '$(BERTH_POD_IP):7171' },
    ];
    const pod = await node.run('address', { env, command: ['sh', '-c', 'echo $0 $LISTEN; exec sleep 3600', '$(BERTH_POD_IP)'] });
    const address = pod.status?.podIP ?? '';
    await expect.poll(() => node.logs('address')).toBe(`${address} ${address}:7171\n`);
    await node.remove('address', 0);
  });
});
