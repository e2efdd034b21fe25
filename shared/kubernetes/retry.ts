/**
 * Trying again, within bounds.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 5000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/** Waits; rejects with the signal's reason when it aborts. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
}

const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 3000;

/** How long to wait before the look after so many in vain: what takes its time is not asked for ten times a second. */
export function backoffMs(looks: number): number {
  return Math.min(LONGEST_LOOK_MS, FIRST_LOOK_MS * 2 ** Math.min(looks, 10));
}

/**
 * Calls until it succeeds, fails with something that `passes` does not recognise as passing by itself, or 5 seconds are over; then
 * throws the last error. The pauses double, with jitter.
 */
export async function retryWhile<T>(passes: (error: unknown) => boolean, call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const end = performance.now() + RETRY_MS;
  for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(longest * 2, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (!passes(error) || performance.now() > end) throw error;
    }
    await pause(longest / 2 + Math.random() * (longest / 2), signal);
  }
}
