/**
 * The real `kubectl` against the embedded cluster, where it is installed.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';

const run = promisify(execFile);
const installed = spawnSync('kubectl', ['version', '--client']).status === 0;
if (!installed) console.warn('SKIPPED: kubectl against the embedded cluster. Install kubectl to run it.');

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'box', namespace: 'default', labels: { app: 'box' } },
  spec: {
    containers: [
      {
        name: 'main',
        image: 'debian:bookworm-slim',
        command: ['sh', '-c', 'trap "exit 143" TERM; echo started; while :; do sleep 0.2; echo tick; done'],
      },
    ],
  },
};

describe.skipIf(!installed)('kubectl', () => {
  let cluster: EmbeddedCluster;

  beforeAll(async () => {
    cluster = await startEmbeddedCluster();
    const create = spawn('kubectl', ['--kubeconfig', cluster.kubeconfigFile, 'create', '-f', '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    create.stdin.end(JSON.stringify(pod));
    expect(await once(create, 'exit')).toEqual([0, null]);
  });

  afterAll(() => cluster.stop());

  const kubectl = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('kubectl', ['--kubeconfig', cluster.kubeconfigFile, ...args], { timeout: 15_000 });
    return stdout;
  };

  it('waits for a pod and gets it', async () => {
    expect(await kubectl('wait', '--for=condition=Ready', 'pod/box', '--timeout=10s')).toBe('pod/box condition met\n');
    expect(await kubectl('get', 'pods', '-l', 'app=box')).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE\nbox +1\/1 +Running +0 +\d+s\n$/);
    expect(await kubectl('get', 'pod', 'box', '-o', 'jsonpath={.status.phase}')).toBe('Running');
    expect(await kubectl('get', 'namespaces')).toMatch(/default +Active/);
  });

  it('describes it with its events', async () => {
    const description = await kubectl('describe', 'pod', 'box');
    expect(description).toMatch(/Status: +Running/);
    expect(description).toMatch(/Normal +Started/);
  });

  it('runs commands in it, with input and with a terminal', async () => {
    expect(await kubectl('exec', 'box', '--', 'sh', '-c', 'echo out; echo err >&2')).toBe('out\n');
    await expect(kubectl('exec', 'box', '--', 'sh', '-c', 'exit 7')).rejects.toMatchObject({ code: 7 });
    const piped = spawn('kubectl', ['--kubeconfig', cluster.kubeconfigFile, 'exec', '-i', 'box', '--', 'tr', 'a-z', 'A-Z'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    piped.stdin.end('through');
    expect(await text(piped.stdout)).toBe('THROUGH');
    // `script` gives kubectl the terminal that -t asks for.
    const command = `kubectl --kubeconfig ${cluster.kubeconfigFile} exec -it box -- sh -c 'test -t 0 && test -t 1 && echo a terminal'`;
    const { stdout } = await run('script', ['-qec', command, '/dev/null'], { timeout: 15_000 });
    expect(stdout).toContain('a terminal');
  });

  it('follows its log until it is deleted', async () => {
    const follow = spawn('kubectl', ['--kubeconfig', cluster.kubeconfigFile, 'logs', '-f', 'box'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(follow, 'exit');
    const log = text(follow.stdout);
    expect(await kubectl('delete', 'pod', 'box', '--timeout=15s')).toContain('pod "box" deleted');
    await ended;
    expect(await log).toMatch(/^started\n(tick\n)+/);
    await expect(kubectl('get', 'pod', 'box')).rejects.toMatchObject({ stderr: 'Error from server (NotFound): pods "box" not found\n' });
  });
});

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
