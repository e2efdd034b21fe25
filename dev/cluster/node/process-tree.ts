/**
 * The machine's processes, for what no namespace or control group can tell: whose they are, and how much memory they take.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly residentBytes: number;
}

const PAGE_BYTES = 4096;

/** Every process there is, from `/proc`; empty where there is none (macOS). Those that end meanwhile are left out. */
export function listProcesses(): ReadonlyMap<number, ProcessEntry> {
  const entries = new Map<number, ProcessEntry>();
  for (const name of listNumbers('/proc')) {
    const stat = readOptional(`/proc/${name}/stat`);
    // The name of the program stands in brackets and may hold anything, brackets too.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    const [state, parent, , session] = fields;
    if (state === undefined || state === 'Z') continue;
    entries.set(name, { pid: name, parent: Number(parent), session: Number(session), residentBytes: Number(fields[21]) * PAGE_BYTES });
  }
  return entries;
}

/** The processes below these, and these themselves. */
export function descendants(processes: ReadonlyMap<number, ProcessEntry>, roots: readonly number[]): ReadonlySet<number> {
  const children = Map.groupBy(processes.values(), ({ parent }) => parent);
  const found = new Set<number>();
  const visit = (pid: number): void => {
    if (found.has(pid)) return;
    found.add(pid);
    children.get(pid)?.forEach((child) => visit(child.pid));
  };
  roots.filter((pid) => processes.has(pid)).forEach(visit);
  return found;
}

/** The only child of the only child ..., `depth` times; `undefined` where there is none. */
export function onlyDescendant(pid: number, depth: number): number | undefined {
  if (depth === 0) return pid;
  const children =
    readOptional(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ').map(Number) ??
    [...listProcesses().values()].filter(({ parent }) => parent === pid).map((entry) => entry.pid);
  const [child = 0] = children;
  return child === 0 ? undefined : onlyDescendant(child, depth - 1);
}

/** The processes that were started with this variable (`NAME=value`) in their environment, as far as we may look. */
export function markedProcesses(variable: string): readonly number[] {
  return listNumbers('/proc').filter((pid) => readOptional(`/proc/${pid}/environ`)?.split('\0').includes(variable) === true);
}

/** How much the process offers itself to be killed for memory, -1000 to 1000; 0 where that is not known. */
export function oomScore(pid: number): number {
  return Number(readOptional(`/proc/${pid}/oom_score_adj`) ?? 0);
}

/** Sends a signal; nothing happens where the process is gone or not ours. Never a group: `pid` must be positive. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM'))) throw error;
  }
}

function listNumbers(folder: string): readonly number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
