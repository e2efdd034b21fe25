/**
 * Time that passes only when the test says so, for everything in this thread: the injected clock, `setTimeout` and its relatives,
 * `node:timers/promises`, `AbortSignal.timeout`, `performance.now`. Between two moments every promise that can settle has settled, so that
 * a run is decided by its seed alone.
 *
 * It replaces globals, so it belongs into a thread of its own.
 */
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Clock } from '../../shared/clock.ts';

export interface Scheduled {
  cancel(): void;
}

interface Entry extends Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  /** Timers of the program die with its process; what the world around it does goes on. */
  readonly life: number | undefined;
  cancelled: boolean;
}

const realSetImmediate = globalThis.setImmediate;

/** Resolves when nothing is left to do in this thread but what time brings. */
function quiet(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #life = 1;
  readonly #heap: Entry[] = [];
  readonly #mourners = new Set<() => void>();

  constructor(start: Date) {
    this.#now = start.getTime();
  }

  now(): Date {
    return new Date(this.#now);
  }

  get ms(): number {
    return this.#now;
  }

  /** Which process runs now. */
  get life(): number {
    return this.#life;
  }

  /** Something that happens in the world, whether the process lives or not. */
  after(milliseconds: number, run: () => void): Scheduled {
    return this.#schedule(milliseconds, run, undefined);
  }

  /** Resolves when so much time has passed; never, where the process has died meanwhile. */
  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#schedule(milliseconds, resolve, this.#life));
  }

  /** The process is gone: none of its timers fires any more. */
  endLife(): void {
    this.#life += 1;
    const listeners = [...this.#mourners];
    this.#mourners.clear();
    for (const listener of listeners) listener();
  }

  /** Another time, another world: nothing of what was to come will come. */
  reset(start: Date): void {
    this.#mourners.clear();
    this.endLife();
    this.#heap.length = 0;
    this.#now = start.getTime();
  }

  /** Calls at the death of the present process, until the returned function is called. */
  onDeath(listener: () => void): () => void {
    this.#mourners.add(listener);
    return () => this.#mourners.delete(listener);
  }

  /** Lets so much time pass, with everything that happens in it. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await quiet();
      const next = this.#heap[0];
      if (next === undefined || next.at > end) break;
      this.#pop();
      if (next.cancelled || (next.life !== undefined && next.life !== this.#life)) continue;
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
  }

  #schedule(milliseconds: number, run: () => void, life: number | undefined): Entry {
    // As Node has it: what is no number, or below one, is one; timers of one moment fire in the order they were made.
    const delay = milliseconds >= 1 ? Math.min(milliseconds, 2 ** 40) : 1;
    this.#order += 1;
    const entry: Entry = {
      at: this.#now + delay,
      order: this.#order,
      run,
      life,
      cancelled: false,
      cancel: () => {
        entry.cancelled = true;
      },
    };
    this.#push(entry);
    return entry;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, left)) child += 1;
      const smaller = heap[child] ?? left;
      if (!isBefore(smaller, last)) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = last;
  }

  /** Puts this clock in the place of the thread's own until the returned function is called. */
  install(): () => void {
    const before = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
    };
    const sleep = timersPromises.setTimeout;
    const abortTimeout = AbortSignal.timeout;
    const timers = new Map<number, Entry>();
    const clear = (timer: unknown): void => {
      const number = Number(timer);
      const entry = timers.get(number);
      timers.delete(number);
      if (entry !== undefined) entry.cancelled = true;
    };
    const start = (run: () => void, milliseconds: number, again: boolean): FakeTimer => {
      const timer = new FakeTimer();
      const fire = (): void => {
        if (again) timers.set(timer.number, this.#schedule(milliseconds, fire, this.#life));
        else timers.delete(timer.number);
        run();
      };
      timers.set(timer.number, this.#schedule(milliseconds, fire, this.#life));
      return timer;
    };
    Object.assign(globalThis, {
      setTimeout: (run: (...given: unknown[]) => void, milliseconds = 1, ...given: unknown[]) =>
        start(() => run(...given), milliseconds, false),
      setInterval: (run: (...given: unknown[]) => void, milliseconds = 1, ...given: unknown[]) =>
        start(() => run(...given), milliseconds, true),
      clearTimeout: clear,
      clearInterval: clear,
    });
    Object.assign(AbortSignal, { timeout: (milliseconds: number) => this.#abortAfter(milliseconds) });
    Object.assign(timersPromises, {
      setTimeout: (milliseconds?: number, value?: unknown, options?: { readonly signal?: AbortSignal }) =>
        this.#sleep(milliseconds ?? 1, value, options?.signal),
    });
    // Read-only where it is inherited from.
    Object.defineProperty(performance, 'now', { configurable: true, value: () => this.#now });
    syncBuiltinESMExports();
    return () => {
      Object.assign(globalThis, before);
      Object.assign(AbortSignal, { timeout: abortTimeout });
      Object.assign(timersPromises, { setTimeout: sleep });
      Reflect.deleteProperty(performance, 'now');
      syncBuiltinESMExports();
    };
  }

  #abortAfter(milliseconds: number): AbortSignal {
    const controller = new AbortController();
    this.#schedule(milliseconds, () => controller.abort(new DOMException('The time is over', 'TimeoutError')), this.#life);
    return controller.signal;
  }

  /** As https://nodejs.org/api/timers.html#timerspromisessettimeoutdelay-value-options */
  #sleep(milliseconds: number, value: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const refuse = (): void => reject(new DOMException('The operation was aborted', 'AbortError'));
      if (signal?.aborted === true) return refuse();
      const abort = (): void => {
        entry.cancelled = true;
        refuse();
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve(value);
      };
      const entry = this.#schedule(milliseconds, wake, this.#life);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}

let timersMade = 0;

/** What `setTimeout` answers in Node: an object that is also a number. */
class FakeTimer {
  readonly number = (timersMade += 1);

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.toPrimitive](): number {
    return this.number;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.number);
  }
}
