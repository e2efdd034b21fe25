/**
 * Timers for any time ahead.
 *
 * @module
 */
/** Node's timers hold 31 bits of milliseconds, 24.8 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls back after `milliseconds`, however many; the returned function cancels. */
export function callAfter(milliseconds: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    timer = setTimeout(() => (left > LONGEST_MS ? arm(left - LONGEST_MS) : callback()), Math.min(Math.max(left, 0), LONGEST_MS));
  };
  arm(milliseconds);
  return () => clearTimeout(timer);
}

/** Resolves after `milliseconds`, or at once when the signal is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = callAfter(milliseconds, done);
    signal.addEventListener('abort', done);
  });
}
