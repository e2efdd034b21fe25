import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { announceMissing, firstContainer, installedRuntimes, namespace, readText, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

const TOOLS = `/tools-${randomUUID()}`;
const HELPER = `${TOOLS}/bin/helper`;

/** The machine's Python does not run where its libraries are not: the helper is the one program, brought by an init container. */
const brought: [Partial<V1Container>, Partial<V1PodSpec>] = [
  {
    image: 'berth.local/empty',
    command: [HELPER, 'serve'],
    env: [{ name: 'BERTH_DIR', value: '/workspace' }],
    volumeMounts: [
      { name: 'workspace', mountPath: '/workspace' },
      { name: 'tools', mountPath: TOOLS },
    ],
  },
  {
    volumes: [
      { name: 'workspace', emptyDir: {} },
      { name: 'tools', emptyDir: {} },
    ],
    initContainers: [
      { name: 'install', image: 'berth.local/helper:1', args: ['install', TOOLS], volumeMounts: [{ name: 'tools', mountPath: TOOLS }] },
    ],
  },
];

describe.each(installed.filter((runtime) => runtime !== 'plain'))('an image without any file with the runtime %s', (runtime) => {
  let node: TestNode;

  beforeAll(async () => {
    node = await startTestNode(runtime);
    await node.run('empty', ...brought);
  });
  afterAll(async () => {
    await node.end();
  });

  test('runs what an init container brought', async () => {
    expect(await node.exec('empty', [HELPER, 'version'])).toEqual({ code: 0, stdout: expect.stringMatching(/^\d/) as string, stderr: '' });
    expect((await node.exec('empty', [HELPER])).code).toBe(2);
  });

  test('has a terminal', async () => {
    const command = [HELPER, 'version'];
    const terminal = await node.node.exec(namespace, 'empty', 'main', { command, stdin: true, stdout: true, stderr: false, tty: true });
    expect(await readText(terminal.stdout)).toMatch(/^[\d.]+\r\n$/);
    expect(await terminal.exitCode).toBe(0);
  });

  test.each([
    ['sh', 'exec: "sh": executable file not found in $PATH'],
    ['/bin/sh', 'exec: "/bin/sh": stat /bin/sh: no such file or directory'],
    [TOOLS, `exec: "${TOOLS}": permission denied`],
  ])('has no %s, and says so', async (command, words) => {
    await expect(node.exec('empty', [command])).rejects.toMatchObject({ code: 500, message: expect.stringContaining(words) as string });
  });

  test.runIf(process.getuid?.() === 0)('leaves no right to its processes, and nothing of the machine in reach', async () => {
    const [pid, ...others] = processesWith(HELPER);
    expect([typeof pid, others]).toEqual(['number', []]);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    for (const line of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => `${name}:\t0000000000000000`))
      expect(status).toContain(line);
    expect(status).toContain('NoNewPrivs:\t1');
    expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    const root = `/proc/${pid}/root`;
    expect(readdirSync(root).toSorted()).toEqual(['dev', 'etc', 'proc', 'sys', 'workspace', TOOLS.slice(1)].toSorted());
    expect(readdirSync(`${root}/etc`).toSorted()).toEqual(['hosts', 'resolv.conf']);
    expect(existsSync(`${root}${node.directory}`)).toBe(false);
  });

  test('has no root, since no program of the machine is there to make one', async () => {
    const securityContext = { runAsUser: 0, runAsNonRoot: false };
    const pod = await node.run(
      'root',
      { image: 'berth.local/empty', command: ['/x'] },
      { securityContext },
      (found) => waiting(found) === 'CreateContainerError',
    );
    expect(firstContainer(pod)?.state?.waiting?.message).toContain('cannot run as root here');
    await node.remove('root', 0);
  });

  test('needs a command', async () => {
    const pod = await node.run(
      'idle',
      { image: 'berth.local/empty', command: [] },
      {},
      (found) => waiting(found) === 'CreateContainerError',
    );
    expect(firstContainer(pod)?.state?.waiting?.message).toContain('no command specified');
    await node.remove('idle', 0);
  });
});

test.runIf(installed.includes('plain'))('an image without any file is not there without a sandbox, and the pod says so', async () => {
  const node = await startTestNode('plain');
  const pod = await node.run('empty', { image: 'berth.local/empty' }, {}, (found) => waiting(found) === 'ErrImagePull');
  expect(firstContainer(pod)?.state?.waiting?.message).toContain('it runs in a sandbox only');
  await node.end();
});

/** Those of the machine that run this program. */
function processesWith(program: string): readonly number[] {
  const runs = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`${program}\0`);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && runs(name))
    .map(Number);
}

function waiting(pod: V1Pod): string | undefined {
  return firstContainer(pod)?.state?.waiting?.reason;
}
