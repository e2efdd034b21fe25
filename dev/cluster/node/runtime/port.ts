/**
 * What the kubelet asks of a container runtime. Three implement it: `bwrap`, `unshare` and `plain`.
 *
 * - **monitor**: our child, outside the container; it lives as long as the container's PID 1.
 * - **PID 1**: the container's own command, first in its pid namespace.
 * - **identity**: the user a container runs as, inside and on the machine.
 *
 * @module
 */
import type { Readable } from 'node:stream';
import type { ContainerExecOptions, ContainerProcess } from '../../port.ts';

export type RuntimeName = 'bwrap' | 'unshare' | 'plain';

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** A folder of the machine (or a file of it) shown in the container. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerSpec {
  /** Unique among all containers that ever ran. */
  readonly id: string;
  readonly hostname: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user: User;
  readonly mounts: readonly Mount[];
  /** What the node itself puts there: its paths need not be those of volumes. Needs a sandbox. */
  readonly ownMounts: readonly Mount[];
  /** The image has no file, so the container shows none of the machine's programs. Needs a sandbox and a helper. */
  readonly empty: boolean;
  /** Where some of the mounts' sources are held. */
  readonly heldVolumes: HeldVolumes | undefined;
  /** Files to write `0` into in order to join the container's control groups. */
  readonly controlGroups: readonly string[];
  /** Bound on the number of processes where no control group holds it. */
  readonly processLimit: number | undefined;
}

/** How PID 1 ended: its exit code, or 128 + signal. */
export interface Exit {
  readonly exitCode: number;
}

/** Folders of a pod that have something else mounted on them, while that is held. Only containers that begin with `enter` see it. */
export interface HeldVolumes {
  /** Puts a program into the namespaces where they are mounted. */
  readonly enter: readonly string[];
  release(): void;
}

/** A folder of the machine to have a file system in memory on it. */
export interface MemoryVolume {
  readonly kind: 'memory';
  readonly folder: string;
  /** `undefined`: the kernel's default, half of the machine's memory. */
  readonly sizeBytes: number | undefined;
  readonly group: number | undefined;
}

/** A folder of the machine to have another one on it, in which no step of the path may be a link when it is mounted. */
export interface BoundFolder {
  readonly kind: 'folder';
  readonly folder: string;
  /** As `realpath` gives it. */
  readonly source: string;
}

export type HeldVolume = MemoryVolume | BoundFolder;

export interface RunningContainer {
  /** PID 1 as the machine counts it. */
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Never rejects. Settles when every process of the container is gone. */
  readonly exit: Promise<Exit>;
  /** Rejects with `NodeError` 500 where the command cannot be started, in the words of a container runtime. */
  exec(options: ContainerExecOptions): Promise<ContainerProcess>;
  /** TERM for PID 1; in a pid namespace it is ignored unless PID 1 handles it, as in any container. */
  terminate(): void;
  /** Ends every process of the container. */
  kill(): void;
  /** The pids of all its processes, as the machine counts them. */
  processes(): readonly number[];
}

export interface Runtime {
  readonly name: RuntimeName;
  /** Rejects with `StartError` where the container cannot be made or its command cannot be started. */
  start(spec: ContainerSpec): Promise<RunningContainer>;
  /** Absent where the runtime has none. Rejects with the reason where the machine refuses. */
  holdVolumes?(volumes: readonly HeldVolume[]): Promise<HeldVolumes>;
  /** The images without a program (`berth.local/...`) can run: a sandbox, and a helper for this machine. */
  readonly runsEmptyImages: boolean;
}

/** `CreateContainerError`: the container cannot be made; `StartError`: it was made, but its command cannot be run. */
export class StartError extends Error {
  readonly reason: 'CreateContainerError' | 'StartError';

  constructor(reason: 'CreateContainerError' | 'StartError', message: string) {
    super(message);
    this.name = 'StartError';
    this.reason = reason;
  }
}
