/**
 * One piece of work that several callers wait for.
 *
 * @module
 */
export class Flight<T> {
  readonly #controller = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;
  #settled = false;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#result = work(this.#controller.signal).finally(() => {
      this.#settled = true;
    });
    // Whoever still waits is told; if nobody does, nobody needs to know.
    this.#result.catch(() => undefined);
  }

  /** Its work was given up, because nobody waited any more or by `abort`; who comes now needs another flight. */
  get abandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** A caller's abort ends its own wait alone; the last one's ends the work. */
  join(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting += 1;
      const leave = (): void => {
        this.#waiting -= 1;
        reject(signal.reason);
        if (this.#waiting === 0 && !this.#settled) this.#controller.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#result.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }
}
