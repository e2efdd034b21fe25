/**
 * Where no control group can limit memory: looks at the processes' resident memory a few times a second and kills one of a container that is
 * over its limit, as the kernel would: of those that offer themselves most (`oom_score_adj`) the largest. Looks only while a limited
 * container runs.
 *
 * @module
 */
import { listProcesses, oomScore, sendSignal } from '../process-tree.ts';
import type { ProcessEntry } from '../process-tree.ts';

const INTERVAL_MS = 200;

export interface Watched {
  readonly limitBytes: number;
  processes(): readonly number[];
  /** Just before the process is killed. */
  onKill(pid: number): void;
}

export class MemoryWatcher {
  readonly #containers = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** Watches until the returned function is called. */
  watch(container: Watched): () => void {
    this.#containers.add(container);
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS);
    return () => {
      this.#containers.delete(container);
      if (this.#containers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #look(): void {
    const processes = listProcesses();
    for (const container of this.#containers) {
      const victim = chooseVictim(processes, container.processes(), container.limitBytes, oomScore);
      if (victim === undefined) continue;
      container.onKill(victim);
      sendSignal(victim, 'SIGKILL');
    }
  }
}

/** The process to kill, if together they take more than the limit. */
export function chooseVictim(
  processes: ReadonlyMap<number, ProcessEntry>,
  pids: readonly number[],
  limitBytes: number,
  score: (pid: number) => number,
): number | undefined {
  const entries = pids.map((pid) => processes.get(pid)).filter((entry) => entry !== undefined);
  if (entries.reduce((sum, { residentBytes }) => sum + residentBytes, 0) <= limitBytes) return undefined;
  return entries
    .map((entry) => ({ ...entry, score: score(entry.pid) }))
    .toSorted((left, right) => right.score - left.score || right.residentBytes - left.residentBytes)[0]?.pid;
}
