/**
 * What a queue takes and what it refuses: Cloud Tasks' rules, for every implementation
 * (https://cloud.google.com/tasks/docs/quotas, https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks).
 *
 * @module
 */
import { type Task, TaskError } from './port.ts';

const NAME = /^[A-Za-z0-9_-]{1,500}$/;
const MAX_PAYLOAD_BYTES = 100 * 1_024;
const MAX_AHEAD_MS = 30 * 24 * 3_600_000;

export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new TaskError('invalid_argument', `A task's name is 1 to 500 letters, digits, _ and -; got ${JSON.stringify(name.slice(0, 600))}`);
}

/** The body of the task's request. Throws `TaskError` `invalid_argument`. */
export function encodeTask(task: Task, now: Date): string {
  checkName(task.name);
  if (task.scheduleTime !== undefined) checkTime(task.scheduleTime, now);
  const body = JSON.stringify(task.payload);
  const bytes = Buffer.byteLength(body, 'utf8');
  if (bytes > MAX_PAYLOAD_BYTES)
    throw new TaskError('invalid_argument', `A task's payload has at most ${MAX_PAYLOAD_BYTES} bytes; got ${bytes}`);
  return body;
}

function checkTime(time: Date, now: Date): void {
  if (Number.isNaN(time.getTime())) throw new TaskError('invalid_argument', "A task's time is a valid date");
  if (time.getTime() - now.getTime() <= MAX_AHEAD_MS) return;
  throw new TaskError('invalid_argument', `A task lies at most 30 days ahead; got ${time.toISOString()}`);
}
