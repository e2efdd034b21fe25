import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Pod, V1Secret } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secrets } from '../../dev/cluster/node/kinds.ts';
import { announceMissing, firstContainer, installedRuntimes, isReady, namespace, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

describe.each(installed)('a node with the runtime %s', (runtime) => {
  let node: TestNode;
  const sandboxed = runtime !== 'plain';

  beforeAll(async () => {
    node = await startTestNode(runtime);
  });
  afterAll(async () => {
    await node.end();
  });

  test('says what it can do, and warns loudly where there is no sandbox', () => {
    expect(node.capabilities).toEqual({
      sandbox: sandboxed,
      pidNamespace: sandboxed,
      networkPolicy: false,
      memoryLimit: true,
      registry: false,
      emptyImages: sandboxed,
      memoryVolumes: sandboxed,
    });
    expect(node.warnings.some((warning) => warning.startsWith('NO SANDBOX'))).toBe(!sandboxed);
    for (const warning of node.warnings) expect(node.messages).toContain(`warning: ${warning}`);
  });

  test('brings a pod up and tells what a kubelet tells', async () => {
    const pod = await node.run('up', {});
    expect(pod.status).toMatchObject({
      phase: 'Running',
      hostIP: '127.0.0.1',
      podIP: expect.stringMatching(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/) as string,
      containerStatuses: [
        {
          name: 'main',
          ready: true,
          started: true,
          restartCount: 0,
          image: 'docker.io/library/python:3.11-slim',
          lastState: {},
          state: { running: {} },
        },
      ],
    });
    expect(pod.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
    ]);
    expect(node.objects.events.filter(({ name }) => name === 'up').map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
      'Pulled: Container image "python:3.11-slim" already present on machine',
      'Created: Created container: main',
      'Started: Started container main',
    ]);
    await node.remove('up');
    expect(existsSync(join(node.directory, 'pods', pod.metadata?.uid ?? ''))).toBe(false);
    expect(existsSync(join(node.directory, 'logs', pod.metadata?.uid ?? ''))).toBe(false);
  });

  test('keeps what a container writes, by run', async () => {
    const script = 'echo one; echo two >&2; printf three; [ -e again ] && exec sleep 3600; touch again; exit 7';
    await node.run('log', { command: ['sh', '-c', script] }, {}, (pod) => isReady(pod) && firstContainer(pod)?.restartCount === 1);
    const follow = node.logs('log', { follow: true });
    expect(firstContainer(await node.until('log', isReady))?.lastState?.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    expect((await node.logs('log', { previous: true })).split('\n').toSorted()).toEqual(['one', 'three', 'two'].toSorted());
    expect(await node.logs('log', { previous: true, limitBytes: 2 })).toHaveLength(2);
    expect((await node.logs('log', { previous: true, timestamps: true })).split('\n')[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z \w+$/);
    await expect.poll(async () => (await node.logs('log')).length).toBe('one\ntwo\n'.length);
    await node.remove('log', 0);
    expect((await follow).split('\n').toSorted()).toEqual(['one', 'three', 'two'].toSorted());
  });

  test('shows the last lines, and follows what comes', async () => {
    await node.run('tail', {
      command: ['sh', '-c', 'seq 1 100; while [ ! -e go ]; do sleep 0.02; done; echo more; while :; do sleep 1; done'],
    });
    await expect.poll(() => node.logs('tail', { tailLines: 3 })).toBe('98\n99\n100\n');
    const abort = new AbortController();
    let seen = '';
    const reading = (async () => {
      for await (const chunk of node.node.logs(namespace, 'tail', 'main', {
        follow: true,
        previous: false,
        timestamps: false,
        tailLines: 1,
        signal: abort.signal,
      })) {
        seen += Buffer.from(chunk).toString();
        if (seen.includes('more')) abort.abort();
      }
    })();
    await node.exec('tail', ['touch', 'go']);
    await reading;
    expect(seen).toBe('100\nmore\n');
    await expect(node.logs('tail', { previous: true })).rejects.toMatchObject({
      code: 400,
      message: 'previous terminated container "main" in pod "tail" not found',
    });
    await node.remove('tail', 0);
  });

  test('starts a crashed container again, then later and later', async () => {
    const pod = await node.run(
      'crash',
      { command: ['sh', '-c', 'exit 3'] },
      {},
      (found) => firstContainer(found)?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(firstContainer(pod)).toMatchObject({
      restartCount: 1,
      ready: false,
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect(firstContainer(pod)?.state?.waiting?.message).toBe(
      `back-off 10s restarting failed container=main pod=crash_${namespace}(${pod.metadata?.uid})`,
    );
    expect(pod.status?.phase).toBe('Running');
    await node.remove('crash');
  });

  test('ends a pod that is not to be started again', async () => {
    const ended = (pod: V1Pod): boolean => ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');
    const done = await node.run('done', { command: ['true'] }, { restartPolicy: 'Never' }, ended);
    expect(done.status).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
    });
    const failed = await node.run('failed', { command: ['sh', '-c', 'echo said; exit 4'] }, { restartPolicy: 'Never' }, ended);
    expect(failed.status).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 4, reason: 'Error' } } }],
    });
    expect(await node.logs('failed')).toBe('said\n');
    await node.remove('done');
    await node.remove('failed');
  });

  test('waits with what it cannot start, in the words of a kubelet', async () => {
    const waits = (reason: string) => (pod: V1Pod) => firstContainer(pod)?.state?.waiting?.reason === reason;
    const message = (pod: V1Pod): string | undefined => firstContainer(pod)?.state?.waiting?.message;
    const image = await node.run('image', { image: 'example.com/none:1' }, {}, waits('ErrImagePull'));
    expect(message(image)).toMatch(/^Failed to pull image "example.com\/none:1": rpc error: .*: not found$/);
    await node.until('image', waits('ImagePullBackOff'));
    expect((await node.run('extra', { image: 'example.com/extra:1' })).status?.phase).toBe('Running');
    const root = await node.run('root', {}, { securityContext: { runAsNonRoot: true } }, waits('CreateContainerConfigError'));
    expect(message(root)).toBe(
      `container has runAsNonRoot and image will run as root (pod: "root_${namespace}(${root.metadata?.uid})", container: main)`,
    );
    const command = await node.run('command', { command: ['nope'] }, {}, (pod) => firstContainer(pod)?.lastState?.terminated !== undefined);
    expect(firstContainer(command)?.lastState?.terminated).toMatchObject({
      exitCode: 128,
      reason: 'StartError',
      message: expect.stringContaining('exec: "nope": executable file not found in $PATH') as string,
    });
    const secret = await node.run(
      'secret',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'later', key: 'k' } } }] },
      {},
      waits('CreateContainerConfigError'),
    );
    expect(message(secret)).toBe('secret "later" not found');
    node.objects.create<V1Secret>(secrets, { metadata: { name: 'later', namespace }, data: { k: 'eA==' } });
    await node.until('secret', isReady);
    for (const name of ['image', 'extra', 'root', 'command', 'secret']) await node.remove(name, 0);
  });

  test.runIf(sandboxed)('refuses a mount on what the machine shows', async () => {
    const pod = await node.run(
      'mount',
      { volumeMounts: [{ name: 'workspace', mountPath: '/usr/local/x' }], workingDir: '/' },
      {},
      (found) => firstContainer(found)?.state?.waiting?.reason === 'CreateContainerError',
    );
    expect(firstContainer(pod)?.state?.waiting?.message).toContain('mountPath "/usr/local/x" lies on /usr');
    await node.remove('mount');
  });
});
