/**
 * Removing control groups: processes first, then folders from the inside out.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sendSignal } from '../process-tree.ts';

const ROUNDS = 200;
const ROUND_MS = 10;

/** Kills every process of these groups and of those in them. One that forks faster than it is killed is caught by a later round. */
export function killGroups(folders: readonly string[]): void {
  for (const folder of folders.flatMap(tree)) for (const pid of readPids(folder)) sendSignal(pid, 'SIGKILL');
}

/** Kills and removes; waits at most two seconds for the kernel to let go. Resolves to the folders that are still there. */
export async function removeGroups(folders: readonly string[]): Promise<readonly string[]> {
  for (let round = 0; round < ROUNDS; round += 1) {
    killGroups(folders);
    const left = folders.filter((folder) => !removeTree(folder));
    if (left.length === 0) return [];
    await delay(ROUND_MS);
  }
  return folders.filter((folder) => existsSync(folder));
}

/** Older groups of nodes are given up: one that lives makes what it needs again. */
const ABANDONED_MS = 10 * 60_000;

/** Removes what nodes left that were killed and never started again: their groups without a process. */
export function removeAbandoned(parent: string): void {
  const names = readdirSync(parent).filter((name) => /^berth-[0-9a-f]{12}$/.test(name));
  for (const folder of names.map((name) => join(parent, name))) {
    const folders = tree(folder);
    const isOld = folders.every((path) => Date.now() - statSync(path).mtimeMs > ABANDONED_MS);
    if (isOld && folders.every((path) => readPids(path).length === 0)) removeTree(folder);
  }
}

function removeTree(folder: string): boolean {
  for (const path of tree(folder).toReversed()) {
    try {
      rmdirSync(path);
    } catch {
      // Busy: its processes are still on their way out.
      if (existsSync(path)) return false;
    }
  }
  return true;
}

/** The folder and all below, outer ones first. */
function tree(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...inner.flatMap((entry) => tree(join(folder, entry.name)))];
}

function readPids(folder: string): readonly number[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
