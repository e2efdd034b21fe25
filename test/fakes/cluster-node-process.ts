/**
 * A node in a process of its own, which a test may kill. Arguments: runtime, data folder, a mark. Starts a pod that leaves several
 * processes with the mark in their command line, says on stdout what it found as JSON, and waits.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { startNode } from '../../dev/cluster/node/index.ts';
import { pods } from '../../dev/cluster/node/kinds.ts';
import type { RuntimeName } from '../../dev/cluster/node/runtime/port.ts';
import { isReady, makePod, namespace, readText } from './cluster-node.ts';
import { createFakeObjects } from './objects.ts';

export interface Findings {
  readonly pid: number;
  readonly sandbox: boolean;
  readonly identity: string;
}

const [runtime, dataDirectory = '', mark = ''] = process.argv.slice(2);
const objects = createFakeObjects();
const { node, capabilities } = await startNode({
  objects,
  dataDirectory,
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
const findings: Findings = { pid: process.pid, sandbox: capabilities.sandbox, identity: await readText(told.stdout) };
console.log(JSON.stringify(findings));
setInterval(() => undefined, 1000);
