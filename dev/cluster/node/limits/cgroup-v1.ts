/**
 * Control groups, version 1: a tree for each controller, which only root may change.
 * https://docs.kernel.org/admin-guide/cgroup-v1/
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { killGroups, removeAbandoned, removeGroups } from './group-tree.ts';
import { CONTAINER_MOUNT, POD_PROCESS_LIMIT } from './port.ts';
import type { ControlGroup, ControlGroups, Limits } from './port.ts';

const PERIOD_MICROSECONDS = 100_000;
const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
type Controller = (typeof CONTROLLERS)[number];

/** `mount`: where the controllers are, `/sys/fs/cgroup`. `undefined` where none of them can be used. */
export function openVersion1(mount: string, name: string): ControlGroups | undefined {
  const roots = new Map<Controller, string>();
  for (const controller of CONTROLLERS) {
    const folder = join(mount, controller, name);
    if (existsSync(join(mount, controller, 'cgroup.procs')) && tryTo(() => mkdirSync(folder, { recursive: true }))) {
      roots.set(controller, folder);
      tryTo(() => removeAbandoned(join(mount, controller)));
    }
  }
  if (!roots.has('memory') && !roots.has('pids')) return undefined;
  const all = [...roots.values()];
  return {
    memory: roots.has('memory'),
    processes: roots.has('pids'),
    create: (podUid, container, limits) => createGroup(roots, podUid, container, limits),
    removePod: async (podUid) => void (await removeGroups(all.map((root) => join(root, podUid)))),
    removeAll: async () => void (await removeGroups(all)),
  };
}

function createGroup(roots: ReadonlyMap<Controller, string>, podUid: string, container: string, limits: Limits): ControlGroup {
  const folders = new Map([...roots].map(([controller, root]) => [controller, join(root, podUid, container)]));
  for (const folder of folders.values()) mkdirSync(folder, { recursive: true });
  const write = (controller: Controller, file: string, value: number): void => {
    const folder = folders.get(controller);
    if (folder !== undefined) writeFileSync(join(folder, file), String(Math.round(value)));
  };
  const pids = roots.get('pids');
  if (pids !== undefined) writeFileSync(join(pids, podUid, 'pids.max'), String(POD_PROCESS_LIMIT));
  if (limits.memoryBytes !== undefined) {
    write('memory', 'memory.limit_in_bytes', limits.memoryBytes);
    // Without it a process over the limit would swap instead; kernels without swap accounting do not have the file.
    tryTo(() => write('memory', 'memory.memsw.limit_in_bytes', limits.memoryBytes ?? 0));
  }
  if (limits.cpuRequest !== undefined) write('cpu', 'cpu.shares', Math.max(2, limits.cpuRequest * 1024));
  if (limits.cpuLimit !== undefined) {
    write('cpu', 'cpu.cfs_period_us', PERIOD_MICROSECONDS);
    write('cpu', 'cpu.cfs_quota_us', Math.max(1000, limits.cpuLimit * PERIOD_MICROSECONDS));
  }
  const memory = folders.get('memory');
  return {
    mounts: [...folders].map(([controller, source]) => ({ source, target: `${CONTAINER_MOUNT}/${controller}`, readOnly: true })),
    joinFiles: [...folders.values()].map((folder) => join(folder, 'cgroup.procs')),
    oomKills: () =>
      memory === undefined ? 0 : Number(/^oom_kill (\d+)/m.exec(readFileSync(join(memory, 'memory.oom_control'), 'utf8'))?.[1] ?? 0),
    kill: () => killGroups([...folders.values()]),
  };
}

function tryTo(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
