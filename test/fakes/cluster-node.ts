/**
 * A node of its own for a test: in a folder of its own, with objects in memory.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type { V1Container, V1ContainerStatus, V1ObjectMeta, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { startNode } from '../../dev/cluster/node/index.ts';
import type { StartedNode } from '../../dev/cluster/node/index.ts';
import { NODE_NAME, pods } from '../../dev/cluster/node/kinds.ts';
import type { RuntimeName } from '../../dev/cluster/node/runtime/port.ts';
import { unpackMachineHelper } from '../../dev/cluster/machine-helper.ts';
import { createHelperBinaries } from '../../shared/helper/binaries.ts';
import { createFakeObjects } from './objects.ts';
import type { FakeObjects } from './objects.ts';

export const namespace = 'tests';

/** Those that can be tried here; `startNode` itself finds out whether they work. */
export function installedRuntimes(): readonly RuntimeName[] {
  const has = (program: string): boolean => spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0;
  const all: readonly RuntimeName[] = ['unshare', 'bwrap', 'plain'];
  return all.filter((name) => name === 'plain' || (process.platform === 'linux' && has(name)));
}

/** One loud line for each runtime that a suite has to leave out. */
export function announceMissing(installed: readonly RuntimeName[]): void {
  for (const name of ['unshare', 'bwrap'] as const) {
    if (!installed.includes(name)) console.warn(`SKIPPED: ${name} is not installed, so nothing here runs with it`);
  }
}

export function firstContainer(pod: V1Pod): V1ContainerStatus | undefined {
  return pod.status?.containerStatuses?.[0];
}

export interface TestNode extends StartedNode {
  readonly objects: FakeObjects;
  readonly directory: string;
  readonly messages: string[];
  /** Stops the node, as a reboot does, and starts it again. */
  restart(): Promise<void>;
  /** Stops it and removes its folder. */
  end(): Promise<void>;
  /** Creates a pod with one container and resolves when the condition holds. */
  run(
    name: string,
    container: Partial<V1Container>,
    spec?: Partial<V1PodSpec>,
    condition?: (pod: V1Pod) => boolean,
    metadata?: V1ObjectMeta,
  ): Promise<V1Pod>;
  until(name: string, condition: (pod: V1Pod) => boolean): Promise<V1Pod>;
  /** Deletes a pod and resolves when its object is gone. */
  remove(name: string, graceSeconds?: number): Promise<void>;
  exec(
    pod: string,
    command: readonly string[],
    input?: string,
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  logs(
    pod: string,
    options?: {
      readonly follow?: boolean;
      readonly previous?: boolean;
      readonly tailLines?: number;
      readonly timestamps?: boolean;
      readonly limitBytes?: number;
    },
  ): Promise<string>;
}

export function isReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

/** Ends at once on TERM, as the container of a session does. */
export const keepAlive = ['sh', '-c', "trap 'exit 143' TERM; while :; do sleep 3600 & wait $!; done"];

export interface TestNodeOptions {
  readonly volumeIntervalMs?: number;
  /** Of the test's folder, for the node's data. */
  readonly subfolder?: string;
  /** Where the buckets are. */
  readonly buckets?: string;
}

export async function startTestNode(runtime: RuntimeName, { subfolder = '', ...options }: TestNodeOptions = {}): Promise<TestNode> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'berth-node-')));
  const objects = createFakeObjects();
  const messages: string[] = [];
  const helper = await unpackMachineHelper(createHelperBinaries(), join(directory, 'helper'));
  const start = (): Promise<StartedNode> =>
    startNode({
      objects,
      dataDirectory: join(directory, subfolder),
      images: ['example.com/extra:1'],
      runtime,
      helper,
      ...options,
      log: (message) => void messages.push(message),
    });
  let started = await start();
  const until = async (name: string, condition: (pod: V1Pod) => boolean): Promise<V1Pod> => {
    const pod = await objects.until<V1Pod>(pods, namespace, name, (found) => found !== undefined && condition(found));
    if (pod === undefined) throw new Error(`pod ${name} is gone`);
    return pod;
  };
  const test: TestNode = {
    get node() {
      return started.node;
    },
    get capabilities() {
      return started.capabilities;
    },
    get warnings() {
      return started.warnings;
    },
    objects,
    directory,
    messages,
    until,
    async restart() {
      await started.node.stop();
      started = await start();
    },
    async end() {
      await started.node.stop();
      await rm(directory, { recursive: true, force: true });
    },
    async run(name, container, spec = {}, condition = isReady, metadata = {}) {
      const pod = makePod(name, container, spec);
      objects.create<V1Pod>(pods, { ...pod, metadata: { ...pod.metadata, ...metadata } });
      return until(name, condition);
    },
    async remove(name, graceSeconds = 5) {
      objects.markDeleted(pods, namespace, name, graceSeconds);
      await objects.until(pods, namespace, name, (pod) => pod === undefined);
    },
    async exec(pod, command, input) {
      const process = await started.node.exec(namespace, pod, 'main', {
        command,
        stdin: input !== undefined,
        stdout: true,
        stderr: true,
        tty: false,
      });
      process.stdin?.end(input ?? '');
      const [stdout, stderr, code] = await Promise.all([readText(process.stdout), readText(process.stderr), process.exitCode]);
      return { code, stdout, stderr };
    },
    logs: (pod, { follow = false, previous = false, timestamps = false, ...rest } = {}) =>
      text(
        Readable.from(
          started.node.logs(namespace, pod, 'main', { follow, previous, timestamps, ...rest, signal: AbortSignal.timeout(10_000) }),
        ),
      ),
  };
  return test;
}

export async function readText(stream: NodeJS.ReadableStream | undefined): Promise<string> {
  return stream instanceof Readable ? text(stream) : '';
}

export function makePod(name: string, container: Partial<V1Container>, spec: Partial<V1PodSpec> = {}): V1Pod {
  return {
    metadata: { name, namespace, generation: 1 },
    spec: {
      nodeName: NODE_NAME,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 5,
      securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, runAsNonRoot: true },
      volumes: [{ name: 'workspace', emptyDir: {} }],
      ...spec,
      containers: [
        {
          name: 'main',
          image: 'python:3.11-slim',
          command: keepAlive,
          workingDir: '/workspace',
          volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }],
          ...container,
        },
      ],
    },
  };
}

/** How many processes of the machine have this text in their command line. */
export function countProcesses(needle: string): number {
  if (!existsSync('/proc')) return 0;
  return Number(spawnSync('pgrep', ['-fc', '--', needle], { encoding: 'utf8' }).stdout.trim());
}
