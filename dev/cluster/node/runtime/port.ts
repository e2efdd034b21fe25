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
  /** Files to write `0` into in order to join the container's control groups. */
  readonly controlGroups: readonly string[];
  /** Bound on the number of processes where no control group holds it. */
  readonly processLimit: number | undefined;
}

/** How PID 1 ended: its exit code, or 128 + signal. */
export interface Exit {
  readonly exitCode: number;
}

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
