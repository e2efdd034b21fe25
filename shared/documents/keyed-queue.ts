/**
 * Work in line: of what is queued under one key, one piece runs at a time, in the order it came.
 *
 * @module
 */
export type KeyedQueue = <R>(key: string, work: () => Promise<R>) => Promise<R>;

/** A queue of its own; a key takes memory only while it has work. */
export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = tails.get(key);
    const mine = (before ?? Promise.resolve()).then(work);
    // The next in line waits for the end, however it ended.
    const tail = mine.catch(() => undefined);
    tails.set(key, tail);
    try {
      return await mine;
    } finally {
      if (tails.get(key) === tail) tails.delete(key);
    }
  };
}
