/**
 * Delayed work as the domains see it: a named task is delivered at least once, at or after its time, as one HTTP request to the
 * `tasks` unit; an answer outside 2xx is tried again with backoff. The names, limits and tombstones are those of Cloud Tasks
 * (https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks), also on the laptop.
 *
 * Implementations: `local.ts` (SQLite, polled in process) and `cloud-tasks.ts`. Both pass `test/contract/tasks.test.ts`.
 *
 * @module
 */
import type { Json } from '../documents/port.ts';

/** What the `tasks` unit can be asked to do; the last part of the request's path, `/tasks/<target>`. */
export const taskTargets = ['provision', 'expire', 'job', 'webhook'] as const;
export type TaskTarget = (typeof taskTargets)[number];

export interface Task {
  /** 1 to 500 characters of `[A-Za-z0-9_-]`. A name that was used stays blocked for an hour at least, also when its task is done. */
  readonly name: string;
  readonly target: TaskTarget;
  /** The JSON body of the request; 100 KiB at most. */
  readonly payload: { readonly [key: string]: Json };
  /** At most 30 days ahead. Absent or past: at once. */
  readonly scheduleTime?: Date;
}

export interface TaskQueue {
  /** `duplicate` where the name is in use or was lately. Throws `TaskError`. */
  enqueue(task: Task): Promise<'enqueued' | 'duplicate'>;

  /**
   * Takes back a task that is no longer of use; nothing depends on it, for a task re-reads the truth when it runs. A task that is
   * unknown, running or done is left alone without an error. Its name stays blocked.
   */
  withdraw(name: string): Promise<void>;

  close(): Promise<void>;
}

/** `unavailable` may be tried again under the same name: the name makes it safe. */
export class TaskError extends Error {
  readonly code: 'invalid_argument' | 'unavailable';

  constructor(code: 'invalid_argument' | 'unavailable', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TaskError';
    this.code = code;
  }
}
