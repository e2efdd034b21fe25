/**
 * Control groups as the kubelet uses them: one for the node, in it one for each pod, in it one for each container.
 *
 * @module
 */
import type { Mount } from '../runtime/port.ts';

export interface Limits {
  readonly memoryBytes: number | undefined;
  /** Cores. */
  readonly cpuLimit: number | undefined;
  readonly cpuRequest: number | undefined;
}

/** Processes (and threads) that one pod may have: enough to build things, too few to fill the machine. */
export const POD_PROCESS_LIMIT = 512;

/** Where a container has its own groups. */
export const CONTAINER_MOUNT = '/sys/fs/cgroup';

/** The same by `RLIMIT_NPROC`, for each container: fewer, since without groups nothing shares out the processors either. */
export const CONTAINER_PROCESS_RLIMIT = 256;

export interface ControlGroups {
  /** What the machine lets us limit. */
  readonly memory: boolean;
  readonly processes: boolean;
  /** A fresh group for a container; an earlier one of that name is removed. */
  create(podUid: string, container: string, limits: Limits): ControlGroup;
  /** Kills what is left in the pod's groups and removes them. */
  removePod(podUid: string): Promise<void>;
  /** The same for the whole node: what an earlier run left, or at the end. */
  removeAll(): Promise<void>;
}

export interface ControlGroup {
  /** A process that writes `0` to each of them is in. */
  readonly joinFiles: readonly string[];
  /** What a container sees of its groups, as it would with a real runtime: how much memory it has, and what was killed for it. */
  readonly mounts: readonly Mount[];
  /** Processes that the kernel killed for memory so far. */
  oomKills(): number;
  kill(): void;
}
