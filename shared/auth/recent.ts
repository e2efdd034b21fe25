/**
 * Documents as they were a moment ago, so that not every request reads the store.
 *
 * @module
 */
import type { Clock } from '../clock.ts';

export interface Recent<T> {
  /** What was read at most `maxAgeMs` ago. Throws what reading throws, which is not remembered. */
  find(id: string): Promise<T>;
  forget(id: string): void;
}

export interface RecentOptions {
  /** How late another instance may notice a change. */
  readonly maxAgeMs?: number;
  readonly maxEntries?: number;
}

interface Entry<T> {
  readonly value: Promise<T>;
  readonly until: number;
}

/** What is not there is remembered as well: trying ids in a loop costs the store no more than using one does. */
export function createRecent<T>(
  read: (id: string) => Promise<T>,
  clock: Clock,
  { maxAgeMs = 4_000, maxEntries = 1_000 }: RecentOptions = {},
): Recent<T> {
  const entries = new Map<string, Entry<T>>();

  function readNow(id: string, now: number): Promise<T> {
    const entry: Entry<T> = { value: read(id), until: now + maxAgeMs };
    // Behind the newest, so that the oldest is the first.
    entries.delete(id);
    entries.set(id, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= maxEntries) break;
      entries.delete(oldest);
    }
    entry.value.catch(() => {
      if (entries.get(id) === entry) entries.delete(id);
    });
    return entry.value;
  }

  return {
    find(id) {
      const now = clock.now().getTime();
      const entry = entries.get(id);
      return entry !== undefined && now < entry.until ? entry.value : readNow(id, now);
    },
    forget(id) {
      entries.delete(id);
    },
  };
}
