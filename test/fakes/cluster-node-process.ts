/**
 * A node in a process of its own, which a test may kill. Arguments: runtime, data folder, a mark. Starts a pod that leaves several
 * processes with the mark in their command line, says on stdout what it found as JSON, and waits. What depends on who runs the node is tried
 * here, too.
 */
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { unpackMachineHelper } from '../../dev/cluster/machine-helper.ts';
import { startNode } from '../../dev/cluster/node/index.ts';
import { pods } from '../../dev/cluster/node/kinds.ts';
import type { RuntimeName } from '../../dev/cluster/node/runtime/port.ts';
import { createHelperBinaries } from '../../shared/helper/binaries.ts';
import { isReady, makePod, namespace, readText } from './cluster-node.ts';
import { createFakeObjects } from './objects.ts';

export interface Findings {
  readonly pid: number;
  readonly sandbox: boolean;
  readonly identity: string;
  /** What the helper in an image without any file said; `undefined` where this runtime has none. */
  readonly empty: string | undefined;
  /** How a command that took too much memory ended, what was counted, and what became of the container's own first process. */
  readonly memory: { readonly code: number; readonly count: string; readonly survived: boolean };
}

const [runtime, dataDirectory = '', mark = ''] = process.argv.slice(2);
const objects = createFakeObjects();
const helper = await unpackMachineHelper(createHelperBinaries(), join(dataDirectory, 'helper'));
const { node, capabilities } = await startNode({
  objects,
  dataDirectory,
  helper,
  images: [],
  runtime: runtime as RuntimeName,
  log: () => undefined,
});
objects.create<V1Pod>(
  pods,
  makePod('marked', { command: ['sh', '-c', `sleep ${mark} & (setsid sleep ${mark} &); touch up; sleep ${mark}`] }),
);
await objects.until<V1Pod>(pods, namespace, 'marked', (pod) => pod !== undefined && isReady(pod));
const options = { stdin: false, stdout: true, stderr: true, tty: false };
await node.exec(namespace, 'marked', 'main', {
  ...options,
  stdout: false,
  stderr: false,
  command: ['sh', '-c', `setsid sleep ${mark} & sleep ${mark}`],
});
const told = await node.exec(namespace, 'marked', 'main', {
  ...options,
  command: ['sh', '-c', 'until [ -e up ]; do sleep 0.01; done; id -u; cat up; echo written > file; cat file'],
});
const findings: Findings = {
  pid: process.pid,
  sandbox: capabilities.sandbox,
  identity: await readText(told.stdout),
  empty: capabilities.emptyImages ? await tryEmpty() : undefined,
  memory: await tryMemory(),
};
console.log(JSON.stringify(findings));
setInterval(() => undefined, 1000);

async function start(pod: V1Pod): Promise<V1Pod | undefined> {
  objects.create<V1Pod>(pods, pod);
  return objects.until<V1Pod>(pods, namespace, pod.metadata?.name ?? '', (found) => found !== undefined && isReady(found));
}

async function tryEmpty(): Promise<string> {
  const mount = { name: 'workspace', mountPath: '/workspace' };
  const install = { name: 'install', image: 'berth.local/helper', args: ['install', '/workspace'], volumeMounts: [mount] };
  const command = ['/workspace/bin/helper', 'serve'];
  const env = [{ name: 'BERTH_DIR', value: '/workspace' }];
  await start(makePod('empty', { image: 'berth.local/empty', command, env }, { initContainers: [install] }));
  const version = await node.exec(namespace, 'empty', 'main', { ...options, command: ['/workspace/bin/helper', 'version'] });
  return readText(version.stdout);
}

async function tryMemory(): Promise<Findings['memory']> {
  const program = 'b = bytearray(200_000_000)\nfor i in range(0, len(b), 4096): b[i] = 1\nimport time\ntime.sleep(30)';
  const mounts = [
    { name: 'workspace', mountPath: '/workspace' },
    { name: 'berth', mountPath: '/berth' },
  ];
  const container = { resources: { limits: { memory: '64Mi' } }, volumeMounts: mounts };
  await start(makePod('memory', container, { volumes: mounts.map(({ name }) => ({ name, emptyDir: {} })) }));
  const command = ['sh', '-c', 'echo 1000 > /proc/self/oom_score_adj; exec python3 -c "$0"', program];
  const greedy = await node.exec(namespace, 'memory', 'main', { ...options, stdout: false, stderr: false, command });
  const code = await greedy.exitCode;
  const look = await node.exec(namespace, 'memory', 'main', {
    ...options,
    command: ['sh', '-c', 'cat "$0" 2>/dev/null', '/berth/oom_kills'],
  });
  const count = await readText(look.stdout);
  const pod = objects.get<V1Pod>(pods, namespace, 'memory');
  return { code, count, survived: pod?.status?.containerStatuses?.[0]?.restartCount === 0 && isReady(pod) };
}
