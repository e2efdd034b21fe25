/**
 * The node: follows the pods that are assigned to it and answers what the API server asks about them.
 *
 * @module
 */
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1ContainerStatus, V1PersistentVolume, V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node';
import { NodeError, sandboxId } from '../port.ts';
import type { ContainerExecOptions, ContainerProcess, LogOptions, Node, Objects } from '../port.ts';
import { Addresses } from './addresses.ts';
import { claims, configMaps, NODE_NAME, persistentVolumes, pods, secrets, snapshotContents } from './kinds.ts';
import { addressesOfListener } from './listeners.ts';
import { logFiles } from './logs/log-file.ts';
import { readLog } from './logs/read-log.ts';
import type { NodeContext } from './pods/pod-context.ts';
import { PodWorker } from './pods/pod-worker.ts';
import { removeFolder } from './remove-folder.ts';
import { followCopies } from './volume-copies.ts';

/** What a container gets between TERM and KILL when the whole node ends. */
const STOP_GRACE_MS = 2000;

export class Kubelet implements Node {
  readonly #context: NodeContext;
  readonly #objects: Objects;
  readonly #addresses = new Addresses();
  readonly #workers = new Map<string, PodWorker>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #removals = new Set<Promise<void>>();
  #stopped = false;

  /** Starts at once; pods that an earlier run left come up again in place. */
  constructor(context: NodeContext, objects: Objects) {
    this.#context = context;
    this.#objects = objects;
    // Addresses that pods have already are theirs before a new pod may ask for one.
    for (const pod of objects.list<V1Pod>(pods)) {
      const address = pod.status?.podIP;
      if (pod.spec?.nodeName === NODE_NAME && address !== undefined && !isOver(pod)) this.#addresses.take(pod.metadata?.uid ?? '', address);
    }
    const wake = (): void => this.#workers.forEach((worker) => worker.dependenciesChanged());
    this.#unsubscribe = [
      objects.subscribe<V1Pod>(pods, ({ type, object }) => this.#onPod(type, object)),
      objects.subscribe(secrets, wake),
      objects.subscribe(configMaps, wake),
      objects.subscribe<V1PersistentVolumeClaim>(claims, ({ type, object }) => {
        wake();
        if (type === 'DELETED') this.#removeVolume(object.spec?.volumeName);
      }),
      followCopies(context, objects, wake),
      objects.subscribe<V1PersistentVolume>(persistentVolumes, ({ type, object }) => {
        if (type === 'DELETED') this.#removeVolume(object.metadata?.name);
      }),
    ];
  }

  async exec(namespace: string, pod: string, container: string, options: ContainerExecOptions): Promise<ContainerProcess> {
    const running = this.#find(namespace, pod).runner(container)?.running;
    if (running === undefined)
      throw new NodeError(
        500,
        'InternalError',
        `Internal error occurred: unable to upgrade connection: container not found ("${container}")`,
      );
    return running.exec(options);
  }

  async *logs(namespace: string, pod: string, container: string, options: LogOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const worker = this.#find(namespace, pod);
    const { initContainerStatuses = [], containerStatuses = [] } = worker.pod.status ?? {};
    const status = [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container);
    if (status === undefined) throw new NodeError(400, 'BadRequest', `container ${container} is not valid for pod ${pod}`);
    const path = this.#logPath(worker, status, options.previous);
    const live = options.previous ? undefined : worker.runner(container)?.liveLog;
    yield* readLog(path, live?.path === path ? live : undefined, options);
  }

  /** Throws `NodeError` 400 where the container has not written any log yet. */
  #logPath({ uid, pod }: PodWorker, { name, restartCount, state }: V1ContainerStatus, previous: boolean): string {
    const path = join(this.#context.folders.logs, uid, name, `${restartCount - (previous ? 1 : 0)}.log`);
    if (logFiles(path).length > 0) return path;
    const where = `container "${name}" in pod "${pod.metadata?.name}"`;
    if (previous) throw new NodeError(400, 'BadRequest', `previous terminated ${where} not found`);
    throw new NodeError(400, 'BadRequest', `${where} is waiting to start: ${state?.waiting?.reason ?? 'ContainerCreating'}`);
  }

  /** A TCP connection. Rejects with `NodeError` where no process of the pod listens, in the words of containerd. */
  async connect(namespace: string, pod: string, port: number): Promise<Duplex> {
    const worker = this.#find(namespace, pod);
    const podAddress = worker.pod.status?.podIP ?? '127.0.0.1';
    // Without /proc (macOS) nobody can tell whose a port is.
    const hosts = process.platform === 'linux' ? addressesOfListener(worker.processes(), port, podAddress) : [podAddress];
    for (const host of hosts) {
      const socket = await tryConnection(host, port);
      if (socket !== undefined) return socket;
    }
    throw new NodeError(
      500,
      'InternalError',
      `failed to connect to localhost:${port} inside namespace "${sandboxId(worker.uid)}", IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused ` +
        `IPv6 dial tcp6: address localhost: no suitable address found `,
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe.forEach((unsubscribe) => unsubscribe());
    const workers = [...this.#workers.values()];
    workers.forEach((worker) => worker.stop(STOP_GRACE_MS));
    await Promise.all([...workers.map(({ done }) => done), ...this.#removals]);
    await this.#context.controlGroups?.removeAll();
  }

  #onPod(type: 'ADDED' | 'MODIFIED' | 'DELETED', pod: V1Pod): void {
    if (pod.spec?.nodeName !== NODE_NAME || this.#stopped) return;
    const uid = pod.metadata?.uid ?? '';
    const worker = this.#workers.get(uid);
    if (type === 'DELETED') return worker?.removed();
    if (worker !== undefined) return worker.update(pod);
    const created = new PodWorker(pod, this.#context, this.#objects, this.#addresses);
    this.#workers.set(uid, created);
    void created.done.then(() => this.#workers.delete(uid));
  }

  #find(namespace: string, name: string): PodWorker {
    const uid = this.#objects.get<V1Pod>(pods, namespace, name)?.metadata?.uid;
    const worker = uid === undefined ? undefined : this.#workers.get(uid);
    if (worker === undefined) throw new NodeError(404, 'NotFound', `pods "${name}" not found`);
    return worker;
  }

  /** With the claim where nothing else keeps it, else with the persistent volume itself. */
  #removeVolume(name: string | undefined): void {
    if (name === undefined || name === '' || this.#objects.get(persistentVolumes, undefined, name) !== undefined) return;
    const removal = removeFolder(join(this.#context.folders.volumes, name))
      .catch((error: unknown) => this.#context.log(`volume ${name} is not removed: ${String(error)}`))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

async function tryConnection(host: string, port: number): Promise<Duplex | undefined> {
  const socket = createConnection({ host, port, allowHalfOpen: true, noDelay: true });
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

function isOver({ status }: V1Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Removes what pods and claims of an earlier run left that are gone meanwhile. */
export async function removeLeftovers({ folders }: NodeContext, objects: Objects): Promise<void> {
  const uids = new Set(objects.list<V1Pod>(pods).map(({ metadata }) => metadata?.uid));
  const volumes = new Set([
    ...objects.list<V1PersistentVolumeClaim>(claims).map(({ spec }) => spec?.volumeName),
    ...objects.list<V1PersistentVolume>(persistentVolumes).map(({ metadata }) => metadata?.name),
  ]);
  const stale = async (folder: string, known: ReadonlySet<string | undefined>): Promise<readonly string[]> =>
    existsSync(folder) ? (await readdir(folder)).filter((name) => !known.has(name)).map((name) => join(folder, name)) : [];
  const contents = new Set(objects.list(snapshotContents).map(({ metadata }) => metadata?.name));
  const found = await Promise.all([
    ...[stale(folders.pods, uids), stale(folders.logs, uids)],
    ...[stale(folders.volumes, volumes), stale(folders.snapshots, contents)],
  ]);
  await Promise.all(found.flat().map(removeFolder));
}
