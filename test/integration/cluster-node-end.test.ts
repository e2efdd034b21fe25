import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claims, pods } from '../../dev/cluster/node/kinds.ts';
import {
  announceMissing,
  countProcesses,
  firstContainer,
  installedRuntimes,
  isReady,
  keepAlive,
  namespace,
  startTestNode,
} from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';
import type { Findings } from '../fakes/cluster-node-process.ts';

/** A user that is nobody. */
const OTHER = 1500;
const installed = installedRuntimes();
announceMissing(installed);
const canBecomeAnother = canRunAsOther();
if (!canBecomeAnother) console.warn('SKIPPED: the node as an ordinary user; it takes root, setpriv and readable files');

describe.each(installed)('the end of what runs with the runtime %s', (runtime) => {
  let node: TestNode;
  const sandboxed = runtime !== 'plain';

  beforeAll(async () => {
    node = await startTestNode(runtime);
  });
  afterAll(async () => {
    await node.end();
  });

  test('tells a container to end, and ends it when its time is up', async () => {
    const marker = `47${Math.floor(Math.random() * 1e9)}`;
    await node.run('polite', { command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'] });
    const stubborn = await node.run('stubborn', {
      command: ['sh', '-c', `trap "" TERM; (setsid sleep ${marker} &); while :; do sleep 0.05; done`],
    });
    await expect.poll(() => countProcesses(marker)).toBeGreaterThan(0);
    const begin = performance.now();
    await node.remove('polite', 20);
    expect(performance.now() - begin).toBeLessThan(5000);
    await node.remove('stubborn', 1);
    expect(performance.now() - begin).toBeGreaterThan(1000);
    expect(countProcesses(marker)).toBe(0);
    expect(node.objects.events).toContainEqual({ name: 'stubborn', type: 'Normal', reason: 'Killing', message: 'Stopping container main' });
    expect(existsSync(join(node.directory, 'pods', stubborn.metadata?.uid ?? ''))).toBe(false);
  });

  test('kills a container that takes more memory than it may, and says so', async () => {
    const program = 'b = bytearray(200_000_000)\nfor i in range(0, len(b), 4096): b[i] = 1\nimport time\ntime.sleep(30)';
    const pod = await node.run(
      'memory',
      { command: ['python3', '-c', program], resources: { limits: { memory: '64Mi' } } },
      { restartPolicy: 'Never' },
      (found) => found.status?.phase === 'Failed',
    );
    expect(firstContainer(pod)?.state?.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    await node.remove('memory');
  });

  test('kills a command that takes too much, and nothing else where the kernel allows it', async () => {
    await node.run('command-memory', { resources: { limits: { memory: '64Mi' } } });
    const program = 'b = bytearray(200_000_000)\nfor i in range(0, len(b), 4096): b[i] = 1\nimport time\ntime.sleep(30)';
    expect((await node.exec('command-memory', ['python3', '-c', program])).code).toBe(137);
    await node.remove('command-memory');
  });

  test('keeps a pod whose readiness fails unready, and starts one again whose liveness fails', async () => {
    const probe = { exec: { command: ['test', '-e', 'fine'] }, periodSeconds: 1, failureThreshold: 1 };
    await node.run('probes', { readinessProbe: probe }, {}, (pod) => pod.status?.phase === 'Running');
    await node.exec('probes', ['touch', 'fine']);
    await node.until('probes', isReady);
    await node.remove('probes');
    await node.run('live', {
      command: ['sh', '-c', `touch fine; ${keepAlive[2] ?? ''}`],
      livenessProbe: { ...probe, initialDelaySeconds: 1 },
    });
    await node.exec('live', ['rm', 'fine']);
    await node.until('live', (pod) => firstContainer(pod)?.restartCount === 1 && isReady(pod));
    expect(node.objects.events).toContainEqual({
      name: 'live',
      type: 'Normal',
      reason: 'Killing',
      message: 'Container main failed liveness probe, will be restarted',
    });
    await node.remove('live');
  });

  test('ends a pod at its deadline', async () => {
    const pod = await node.run('deadline', {}, { activeDeadlineSeconds: 1 }, (found) => found.status?.phase === 'Failed');
    expect(pod.status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    expect(pod.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'False', reason: 'PodFailed' });
    await node.remove('deadline');
  });

  test('keeps a claim over pods, and removes its folder with it', async () => {
    node.objects.create<V1PersistentVolumeClaim>(claims, {
      metadata: { name: 'data', namespace },
      spec: { volumeName: 'pvc-1' },
      status: { phase: 'Bound' },
    });
    const volumes = [{ name: 'workspace', persistentVolumeClaim: { claimName: 'data' } }];
    await node.run('first', {}, { volumes });
    await node.exec('first', ['sh', '-c', 'echo kept > file; mkdir closed; chmod 0 closed']);
    await node.remove('first');
    await node.run('second', {}, { volumes });
    expect((await node.exec('second', ['cat', 'file'])).stdout).toBe('kept\n');
    await node.remove('second');
    expect(readdirSync(join(node.directory, 'volumes'))).toEqual(['pvc-1']);
    node.objects.remove(claims, namespace, 'data');
    await expect.poll(() => readdirSync(join(node.directory, 'volumes'))).toEqual([]);
  });

  test('brings the same pods up again in place after it was stopped', async () => {
    const before = await node.run('again', {});
    await node.exec('again', ['sh', '-c', 'echo kept > file']);
    const gone = await node.run('gone', {});
    const uid = gone.metadata?.uid ?? '';
    await node.node.stop();
    expect(firstContainer(await node.until('again', (pod) => pod.metadata !== undefined))?.state?.terminated).toMatchObject({
      exitCode: 143,
    });
    node.objects.remove(pods, namespace, 'gone');
    expect(readdirSync(join(node.directory, 'pods'))).toContain(uid);
    await node.restart();
    const after = await node.until('again', isReady);
    expect(after.metadata?.uid).toBe(before.metadata?.uid);
    expect(after.status?.podIP).toBe(before.status?.podIP);
    expect(firstContainer(after)).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 143 } } });
    expect((await node.exec('again', ['cat', 'file'])).stdout).toBe('kept\n');
    expect(readdirSync(join(node.directory, 'pods'))).not.toContain(uid);
    await node.remove('again');
  });

  test.runIf(sandboxed)('keeps other pods quick while one of them forks without end', async () => {
    await node.run('calm', { resources: { limits: { cpu: '1', memory: '256Mi' } } });
    await node.run('bomb', { resources: { limits: { cpu: '500m', memory: '256Mi' } } });
    const bomb = await node.node.exec(namespace, 'bomb', 'main', {
      command: ['sh', '-c', 'f() { f | f & f; }; f'],
      stdin: false,
      stdout: false,
      stderr: false,
      tty: false,
    });
    void bomb.exitCode;
    const times: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const begin = performance.now();
      expect((await node.exec('calm', ['true'])).code).toBe(0);
      times.push(performance.now() - begin);
    }
    expect(Math.max(...times)).toBeLessThan(1000);
    await node.remove('bomb', 0);
    await node.remove('calm', 0);
  });

  test('leaves no process behind when the cluster itself is killed', async () => {
    await expectNothingLeft(runtime, []);
  });

  test.runIf(canBecomeAnother)('does the same for an ordinary user, who is uid 1000 in his pods', async () => {
    const { identity, sandbox, empty, memory } = await expectNothingLeft(runtime, [
      'setpriv',
      '--reuid',
      String(OTHER),
      '--regid',
      String(OTHER),
      '--clear-groups',
    ]);
    expect(sandbox).toBe(sandboxed);
    expect(identity).toBe(`${sandboxed ? 1000 : OTHER}\nwritten\n`);
    if (sandboxed) expect(empty).toMatch(/^[\d.]+\n$/);
    // Without the right to control groups the node watches the memory itself, and says what it did where the helper looks.
    expect(memory).toEqual({ code: 137, count: '1\n', survived: true });
  });
});

/** As root with setpriv, and where another user may read these files at all. */
function canRunAsOther(): boolean {
  const attempt = [
    '--reuid',
    String(OTHER),
    '--regid',
    String(OTHER),
    '--clear-groups',
    process.execPath,
    '-e',
    `require('node:fs').readFileSync(${JSON.stringify(import.meta.filename)})`,
  ];
  return process.getuid?.() === 0 && spawnSync('setpriv', attempt).status === 0;
}

async function expectNothingLeft(runtime: string, prefix: readonly string[]): Promise<Findings> {
  const mark = `58${Math.floor(Math.random() * 1e9)}`;
  const directory = mkdtempSync(join(tmpdir(), 'berth-killed-'));
  if (prefix.length > 0) chownSync(directory, OTHER, OTHER);
  const program = join(import.meta.dirname, '../fakes/cluster-node-process.ts');
  const argv = [...prefix, process.execPath, program, runtime, directory, mark];
  const child = spawn(argv[0] ?? process.execPath, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], HOME: directory },
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(countProcesses(`sleep ${mark}`)).toBeGreaterThanOrEqual(4);
    process.kill((JSON.parse(line.toString()) as Findings).pid, 'SIGKILL');
    await expect.poll(() => countProcesses(mark), { timeout: 5000 }).toBe(0);
    return JSON.parse(line.toString()) as Findings;
  } finally {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}
