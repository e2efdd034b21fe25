/**
 * Control groups, version 2: one tree, of which an ordinary user may change the part that systemd delegates.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { killGroups, removeAbandoned, removeGroups } from './group-tree.ts';
import { CONTAINER_MOUNT, POD_PROCESS_LIMIT } from './port.ts';
import type { ControlGroup, ControlGroups, Limits } from './port.ts';

const PERIOD_MICROSECONDS = 100_000;
const CONTROLLERS = ['memory', 'pids', 'cpu'];

/**
 * `own`: this process's group as `/proc/self/cgroup` tells it. The node's group is made beside it, below the nearest group above that
 * we may change and that has controllers: a group with processes of its own, as ours, cannot hand controllers down.
 */
export function openVersion2(mount: string, own: string, name: string): ControlGroups | undefined {
  let parent = dirname(own);
  for (;;) {
    const root = join(mount, parent, name);
    const controllers = prepare(join(mount, parent), root);
    if (controllers.includes('memory') || controllers.includes('pids')) {
      tryTo(() => removeAbandoned(join(mount, parent)));
      return groups(root, controllers);
    }
    if (parent === '/' || parent === '.') return undefined;
    parent = dirname(parent);
  }
}

/** Makes the node's group and resolves what it can limit; leaves nothing where that is nothing. */
function prepare(parent: string, root: string): readonly string[] {
  try {
    mkdirSync(root, { recursive: true });
    // Moving a process here needs the right to write to the group that is above both, too.
    writeFileSync(join(parent, 'cgroup.procs'), '', { flag: 'a' });
    enable(parent);
    const available = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(' ');
    enable(root);
    const controllers = CONTROLLERS.filter((controller) => available.includes(controller));
    if (controllers.length === 0) rmdirSync(root);
    return controllers;
  } catch {
    if (existsSync(root)) tryTo(() => rmdirSync(root));
    return [];
  }
}

/** Hands controllers to the groups below, each by itself: one that is missing must not keep the others back. */
function enable(folder: string): void {
  for (const controller of CONTROLLERS) tryTo(() => writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`));
}

function groups(root: string, controllers: readonly string[]): ControlGroups {
  return {
    memory: controllers.includes('memory'),
    processes: controllers.includes('pids'),
    create(podUid, container, limits) {
      const pod = join(root, podUid);
      const folder = join(pod, container);
      mkdirSync(pod, { recursive: true });
      enable(root);
      enable(pod);
      mkdirSync(folder, { recursive: true });
      if (controllers.includes('pids')) writeFileSync(join(pod, 'pids.max'), String(POD_PROCESS_LIMIT));
      return limit(folder, controllers, limits);
    },
    removePod: async (podUid) => void (await removeGroups([join(root, podUid)])),
    removeAll: async () => void (await removeGroups([root])),
  };
}

function limit(folder: string, controllers: readonly string[], { memoryBytes, cpuLimit, cpuRequest }: Limits): ControlGroup {
  const write = (file: string, value: string): void => writeFileSync(join(folder, file), value);
  const hasMemory = controllers.includes('memory');
  if (hasMemory && memoryBytes !== undefined) {
    write('memory.max', String(Math.round(memoryBytes)));
    tryTo(() => write('memory.swap.max', '0'));
    // As the kubelet sets it: one command over the limit takes the whole container.
    tryTo(() => write('memory.oom.group', '1'));
  }
  if (controllers.includes('cpu')) {
    if (cpuLimit !== undefined) write('cpu.max', `${Math.max(1000, Math.round(cpuLimit * PERIOD_MICROSECONDS))} ${PERIOD_MICROSECONDS}`);
    // 100 is the default, for one core; the range is 1 to 10000.
    if (cpuRequest !== undefined) write('cpu.weight', String(Math.min(10_000, Math.max(1, Math.round(cpuRequest * 100)))));
  }
  return {
    mounts: [{ source: folder, target: CONTAINER_MOUNT, readOnly: true }],
    joinFiles: [join(folder, 'cgroup.procs')],
    oomKills: () => (hasMemory ? Number(/^oom_kill (\d+)/m.exec(readFileSync(join(folder, 'memory.events'), 'utf8'))?.[1] ?? 0) : 0),
    kill: () => {
      if (!tryTo(() => write('cgroup.kill', '1'))) killGroups([folder]);
    },
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
