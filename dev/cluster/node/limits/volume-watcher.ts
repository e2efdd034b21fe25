/**
 * Looks every ten seconds at how much lies in volumes that have a limit. `du` does the counting: a walk over a hundred thousand files would
 * hold up this process, and costs a process of its own a fraction of a second. It may take a twentieth of the time at most.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pause } from '../timers.ts';

const INTERVAL_MS = 10_000;
const REST_FACTOR = 20;
const LONGEST_MS = 60_000;

export interface WatchedVolume {
  readonly folder: string;
  readonly limitBytes: number;
  /** Called once; the volume is not looked at again. */
  onExceeded(usedBytes: number): void;
}

export class VolumeWatcher {
  readonly #volumes = new Set<WatchedVolume>();
  readonly #intervalMs: number;
  #stopped: AbortController | undefined;

  constructor(intervalMs = INTERVAL_MS) {
    this.#intervalMs = intervalMs;
  }

  /** Watches until the returned function is called. */
  watch(volume: WatchedVolume): () => void {
    this.#volumes.add(volume);
    if (this.#stopped === undefined) {
      this.#stopped = new AbortController();
      void this.#repeat(this.#stopped.signal);
    }
    return () => this.#forget(volume);
  }

  #forget(volume: WatchedVolume): void {
    this.#volumes.delete(volume);
    if (this.#volumes.size > 0) return;
    this.#stopped?.abort();
    this.#stopped = undefined;
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    let restMs = this.#intervalMs;
    for (;;) {
      await pause(restMs, signal);
      if (signal.aborted) return;
      const begin = performance.now();
      await this.#look(signal);
      restMs = Math.max(this.#intervalMs, (performance.now() - begin) * REST_FACTOR);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const volumes = [...this.#volumes];
    const used = await measure(
      volumes.map(({ folder }) => folder),
      AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]),
    );
    for (const volume of volumes) {
      const usedBytes = used.get(volume.folder) ?? 0;
      if (usedBytes <= volume.limitBytes || !this.#volumes.has(volume)) continue;
      this.#forget(volume);
      volume.onExceeded(usedBytes);
    }
  }
}

/** What each folder takes on disk. Those that vanish meanwhile, or that could not be read in time, are left out. Never rejects. */
async function measure(folders: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const child = spawn('nice', ['-n', '19', 'du', '-s', '-k', '--', ...folders], { stdio: ['ignore', 'pipe', 'ignore'], signal });
  try {
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    return new Map(
      output
        .split('\n')
        .map((line) => line.split('\t'))
        .map(([kib, folder = '']) => [folder, Number(kib) * 1024]),
    );
  } catch {
    // Killed for its time, or at the end.
    return new Map();
  }
}
