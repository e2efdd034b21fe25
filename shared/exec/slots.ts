/**
 * How many commands run at once in each session, in this process.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';

export class ExecutionSlots {
  readonly #running = new Map<string, number>();
  readonly #perSession: number;

  constructor(perSession: number) {
    this.#perSession = perSession;
  }

  /** Takes a place and answers how to give it back. Throws `AppError` `too_many_executions`. */
  take(sessionId: string): () => void {
    const running = this.#running.get(sessionId) ?? 0;
    if (running >= this.#perSession) {
      throw new AppError('too_many_executions', `${running} commands run in this session already.`, { retryAfterSeconds: 1 });
    }
    this.#running.set(sessionId, running + 1);
    return () => {
      const left = (this.#running.get(sessionId) ?? 1) - 1;
      if (left === 0) this.#running.delete(sessionId);
      else this.#running.set(sessionId, left);
    };
  }
}
