/**
 * The kubelet of the embedded cluster: each container a sandboxed process tree.
 *
 * - `kubelet.ts`, `pods/`: what should run, and what is told about it
 * - `runtime/`: how a container is made, entered and ended (`port.ts`)
 * - `limits/`: memory, processes and CPU
 * - `logs/`: what containers write
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Capabilities, Node, Objects } from '../port.ts';
import { Kubelet, removeLeftovers } from './kubelet.ts';
import { MemoryWatcher } from './limits/memory-watcher.ts';
import { openControlGroups } from './limits/open.ts';
import type { ControlGroups } from './limits/port.ts';
import { VolumeWatcher } from './limits/volume-watcher.ts';
import type { NodeContext } from './pods/pod-context.ts';
import { markedProcesses, sendSignal } from './process-tree.ts';
import { createBwrapRuntime } from './runtime/bwrap.ts';
import { chooseRuntime } from './runtime/choose.ts';
import type { Choice } from './runtime/choose.ts';
import { readBaseSystem } from './runtime/mounts.ts';
import { PipePool } from './runtime/pipes.ts';
import { createPlainRuntime } from './runtime/plain.ts';
import type { RuntimeName } from './runtime/port.ts';
import { startReaper } from './runtime/reaper.ts';
import { NODE_VARIABLE } from './runtime/scripts.ts';
import { createUnshareRuntime } from './runtime/unshare.ts';

export interface NodeOptions {
  readonly objects: Objects;
  /** For this node alone: `pods/`, `volumes/`, `snapshots/`, `logs/` and `sandbox/` are made in it. */
  readonly dataDirectory: string;
  /** Where the buckets are that pods may mount; absent: there are none. */
  readonly buckets?: string | undefined;
  /** Images that the node takes as present, besides those of the built-in templates. */
  readonly images: readonly string[];
  readonly runtime?: RuntimeName | 'auto';
  /** The helper for this machine; without it there are neither terminals nor `berth.local` images. */
  readonly helper?: string | undefined;
  /** How often the usage of volumes is looked at; ten seconds. */
  readonly volumeIntervalMs?: number;
  readonly log: (message: string) => void;
}

export interface StartedNode {
  readonly node: Node;
  readonly capabilities: Capabilities;
  readonly warnings: string[];
}

/**
 * Cleans up after an earlier run, then starts the node; its pods come up again in place. Rejects where the runtime that was asked for does
 * not work here; `auto` takes the best that does.
 */
export async function startNode(options: NodeOptions): Promise<StartedNode> {
  const { objects, dataDirectory, buckets, images, runtime: wanted = 'auto', helper, volumeIntervalMs, log } = options;
  const folder = (name: string): string => {
    const path = resolve(dataDirectory, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return realpathSync(path);
  };
  const folders = {
    ...{ pods: folder('pods'), volumes: folder('volumes'), logs: folder('logs'), snapshots: folder('snapshots') },
    buckets: buckets === undefined ? undefined : folder(buckets),
  };
  const sandbox = folder('sandbox');
  const nodeId = createHash('sha256').update(sandbox).digest('hex').slice(0, 12);
  const asRoot = process.getuid?.() === 0;
  const controlGroups = await freshControlGroups(`berth-${nodeId}`);
  for (const pid of markedProcesses(`${NODE_VARIABLE}=${nodeId}`)) sendSignal(pid, 'SIGKILL');
  const { runtime, refused } = await chooseFor({ dataDirectory, sandbox, nodeId, asRoot, helper }, wanted);
  const stopReaper = runtime.name === 'plain' ? startReaper(nodeId) : undefined;
  if (runtime.name === 'plain' && asRoot)
    openFolders([folders.pods, folders.volumes, folders.buckets, sandbox, join(dataDirectory, LINK_FOLDER)]);
  const memoryWatcher = existsSync('/proc/self/statm') ? new MemoryWatcher() : undefined;
  const context: NodeContext = {
    ...{ runtime, controlGroups, memoryWatcher, images, helper, folders, asRoot, log },
    volumeWatcher: new VolumeWatcher(volumeIntervalMs),
    now: () => new Date(),
  };
  await removeLeftovers(context, objects);
  const kubelet = new Kubelet(context, objects);
  const sandboxed = runtime.name !== 'plain';
  const capabilities = {
    sandbox: sandboxed,
    pidNamespace: sandboxed,
    // Pods have the machine's own network: there is no other way out without privileges.
    networkPolicy: false,
    memoryLimit: controlGroups?.memory === true || memoryWatcher !== undefined,
    registry: false,
    emptyImages: runtime.runsEmptyImages,
    memoryVolumes: runtime.holdVolumes !== undefined,
  };
  const warnings = [...describe(sandboxed, refused, capabilities), ...(sandboxed ? [] : tooLong(join(dataDirectory, LINK_FOLDER)))];
  log(`node: runtime ${runtime.name}, control groups ${controlGroups === undefined ? 'none' : 'yes'}`);
  warnings.forEach((warning) => log(`warning: ${warning}`));
  const stop = async (): Promise<void> => {
    await kubelet.stop();
    stopReaper?.();
  };
  return { node: withStop(kubelet, stop), capabilities, warnings };
}

function withStop(kubelet: Kubelet, stop: () => Promise<void>): Node {
  return {
    exec: (namespace, pod, container, options) => kubelet.exec(namespace, pod, container, options),
    logs: (namespace, pod, container, options) => kubelet.logs(namespace, pod, container, options),
    connect: (namespace, pod, port) => kubelet.connect(namespace, pod, port),
    stop,
  };
}

/** Whatever an earlier run of this node left in its groups ends here. */
async function freshControlGroups(name: string): Promise<ControlGroups | undefined> {
  await openControlGroups(name)?.removeAll();
  return openControlGroups(name);
}

/** Of the data folder, for links to volumes; one letter, since every byte counts in the path of a socket. */
const LINK_FOLDER = 'v';

interface Place {
  readonly dataDirectory: string;
  readonly sandbox: string;
  readonly nodeId: string;
  readonly asRoot: boolean;
  readonly helper: string | undefined;
}

async function chooseFor({ dataDirectory, sandbox, nodeId, asRoot, helper }: Place, wanted: RuntimeName | 'auto'): Promise<Choice> {
  const pipes = new PipePool(join(sandbox, 'pipes'));
  const base = readBaseSystem(helper);
  const common = { base, pipes, nodeId, helper, rootless: !asRoot };
  const unshare = createUnshareRuntime({ ...common, folder: join(sandbox, 'unshare') });
  const toolFolder = join(sandbox, 'tools');
  const linkFolder = join(dataDirectory, LINK_FOLDER);
  makeTools(toolFolder, base.links.find(({ path }) => path.endsWith('/python'))?.to);
  const candidates = [
    createBwrapRuntime({ ...common, unshare }),
    unshare,
    createPlainRuntime({
      ...{ pipes, nodeId, toolFolder, linkFolder, helper },
      changeUser: asRoot && process.platform === 'linux' && reachableByOthers(sandbox),
    }),
  ];
  return chooseRuntime(process.platform === 'linux' ? candidates : candidates.slice(-1), wanted);
}

/** For the plain runtime: what the images' own folders hold in a sandbox. */
function makeTools(folder: string, python: string | undefined): void {
  rmSync(folder, { recursive: true, force: true });
  const link = (name: string, program: string, target: string): void => {
    mkdirSync(join(folder, name, 'bin'), { recursive: true });
    symlinkSync(target, join(folder, name, 'bin', program));
  };
  link('node', 'node', process.execPath);
  if (python !== undefined) link('python', 'python', python);
}

/** Whether another user can get to the folder at all: all folders above it let him pass. */
function reachableByOthers(folder: string): boolean {
  const parent = dirname(dirname(folder));
  for (let path = parent; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === '/') return true;
  }
}

/** Plain processes of another user have no mounts to reach their volumes by. */
function openFolders(folders: readonly (string | undefined)[]): void {
  for (const path of folders.filter((folder) => folder !== undefined)) {
    chmodSync(path, 0o711);
    chmodSync(dirname(path), 0o711);
  }
}

/** What a link to a volume adds to the folder's path, up to the helper's socket in it. */
const SOCKET_IN_LINK = '/0123456789ab/run/helper.sock'.length;

/** A session's pod without a mount namespace never becomes ready where its socket has no room for a path. */
function tooLong(folder: string): readonly string[] {
  const longest = process.platform === 'linux' ? 107 : 103;
  if (Buffer.byteLength(folder) + SOCKET_IN_LINK <= longest) return [];
  return [`The path of ${folder} is too long for the sockets of sessions: choose a data folder with a shorter one.`];
}

function describe(sandboxed: boolean, refused: readonly string[], capabilities: Capabilities): string[] {
  const why = refused.length === 0 ? '' : ` (${refused.join('; ')})`;
  return [
    'Images are names only: every container shows the programs of this machine, read-only.',
    'Pods share the network of this machine: network policies are stored but not enforced.',
    ...(sandboxed
      ? []
      : [`NO SANDBOX: sessions run as plain processes of this machine and can read and change whatever its user can${why}.`]),
    ...(capabilities.memoryLimit ? [] : ['Memory limits are not enforced on this machine.']),
  ];
}
