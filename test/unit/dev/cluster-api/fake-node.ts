/**
 * A node for tests of the API alone: pods run at once without any process, and `exec` starts a plain process of the machine.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createConnection } from 'node:net';
import type { V1Pod } from '@kubernetes/client-node';
import type { ObjectStore } from '../../../../dev/cluster/api/index.ts';
import { pods } from '../../../../dev/cluster/api/resources.ts';
import { NodeError } from '../../../../dev/cluster/port.ts';
import type { ContainerExecOptions, ContainerProcess, LogOptions, Node } from '../../../../dev/cluster/port.ts';

export interface FakeNode extends Node {
  readonly resized: (readonly [number, number])[];
  /** Lines of every pod's log; appending ends no follower. */
  log: string[];
  /** Where ports of every pod really are. */
  readonly ports: Map<number, number>;
  /** Ends what `exec` started and is still there. */
  killAll(): void;
}

/** Images under `missing/` cannot be pulled; all others run. */
export function startFakeNode(objects: ObjectStore): FakeNode {
  const unsubscribe = objects.subscribe<V1Pod>(pods, ({ type, object }) => {
    const { namespace, name = '', deletionTimestamp } = object.metadata ?? {};
    if (type === 'DELETED' || object.spec?.nodeName === undefined) return;
    if (deletionTimestamp !== undefined) objects.remove(pods, namespace, name);
    else if (object.status?.containerStatuses === undefined) objects.update<V1Pod>(pods, namespace, name, run);
  });
  const started: ChildProcess[] = [];
  const resized: (readonly [number, number])[] = [];
  return {
    resized,
    log: ['one', 'two', 'three'],
    killAll: () => started.forEach((child) => child.kill('SIGKILL')),
    async exec(namespace, pod, container, options) {
      const status = objects.get<V1Pod>(pods, namespace, pod)?.status?.containerStatuses?.find(({ name }) => name === container);
      if (status?.state?.running === undefined)
        throw new NodeError(
          500,
          'InternalError',
          `Internal error occurred: unable to upgrade connection: container not found ("${container}")`,
        );
      return startProcess(options, started, resized);
    },
    async *logs(_namespace, _pod, _container, options) {
      yield* this.log
        .slice(-(options.tailLines ?? this.log.length))
        .map((line) => Buffer.from(`${options.timestamps ? '2026-01-01T00:00:00Z ' : ''}${line}\n`));
      if (options.follow) await aborted(options);
    },
    ports: new Map(),
    async connect(_namespace, _pod, port) {
      const local = this.ports.get(port);
      if (local === undefined) throw new NodeError(500, 'InternalError', `failed to connect to localhost:${port}: connection refused`);
      return createConnection({ host: '127.0.0.1', port: local, allowHalfOpen: true });
    },
    stop: async () => unsubscribe(),
  };
}

function run(pod: V1Pod): void {
  const now = new Date();
  const statuses = (pod.spec?.containers ?? []).map(({ name, image = '' }) => {
    const missing = image.startsWith('missing/');
    const state = missing ? { waiting: { reason: 'ErrImagePull', message: `no image ${image}` } } : { running: { startedAt: now } };
    return { name, image, imageID: image, ready: !missing, started: !missing, restartCount: 0, state, lastState: {} };
  });
  const ready = statuses.every((status) => status.ready);
  const conditions = ['Ready', 'ContainersReady'].map((type) => ({ type, status: ready ? 'True' : 'False', lastTransitionTime: now }));
  pod.status = {
    ...pod.status,
    phase: ready ? 'Running' : 'Pending',
    podIP: '127.64.0.1',
    startTime: now,
    containerStatuses: statuses,
    conditions: [...(pod.status?.conditions ?? []), ...conditions],
  };
}

function startProcess(
  { command, stdin, stdout, stderr }: ContainerExecOptions,
  started: ChildProcess[],
  resized: (readonly [number, number])[],
): ContainerProcess {
  const [file = '', ...rest] = command;
  const child = spawn(file, rest, { stdio: [stdin ? 'pipe' : 'ignore', stdout ? 'pipe' : 'ignore', stderr ? 'pipe' : 'ignore'] });
  started.push(child);
  return {
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? undefined,
    stderr: child.stderr ?? undefined,
    resize: (columns, rows) => void resized.push([columns, rows]),
    exitCode: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)));
    }),
  };
}

async function aborted({ signal }: LogOptions): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
