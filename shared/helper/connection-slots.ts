/**
 * A place for each request of a connection. Who finds none waits in line; the peer would otherwise refuse the stream.
 *
 * @module
 */
export class Slots {
  #free: number;
  #limit: number;
  readonly #waiting = new Map<() => void, (reason: Error) => void>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#free = limit;
  }

  /** Places that are taken are kept when the limit falls below them. */
  setLimit(limit: number): void {
    this.#free += limit - this.#limit;
    this.#limit = limit;
    this.#next();
  }

  /** Resolves with how to give the place back; rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#free <= 0 || this.#waiting.size > 0) await this.#wait(signal);
    else this.#free -= 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#free += 1;
      this.#next();
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(enter);
        reject(signal.reason);
      };
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.set(enter, (reason) => {
        signal.removeEventListener('abort', leave);
        reject(reason);
      });
    });
  }

  /** Sends everybody away who waits. */
  close(reason: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const refuse of waiting) refuse(reason);
  }

  #next(): void {
    for (const enter of [...this.#waiting.keys()]) {
      if (this.#free <= 0) return;
      this.#free -= 1;
      this.#waiting.delete(enter);
      enter();
    }
  }
}
