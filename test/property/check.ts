/**
 * Starts the threads that check the property.
 */
import { Worker } from 'node:worker_threads';
import type { Outcome } from './property.ts';
import type { WorkerTask } from './worker.ts';

/** Rejects where the check itself could not be made. */
export function checkInThread(task: WorkerTask): Promise<Outcome> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: task });
  return new Promise((resolve, reject) => {
    let outcome: Outcome | undefined;
    worker.once('message', (message: Outcome) => {
      outcome = message;
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (outcome === undefined) reject(new Error(`The thread ended with ${code} and without a word`));
      else resolve(outcome);
    });
  });
}
