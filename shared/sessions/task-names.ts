/**
 * Names of the tasks that drive sessions. A digest comes first, because Cloud Tasks slows down on names that share a prefix
 * (https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks/create); a used name stays blocked for an hour
 * or more, hence the generation and the time.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { SessionDocument } from './model.ts';

/** Cloud Tasks takes tasks at most 30 days ahead; an hour is kept for clocks that differ. */
const LONGEST_AHEAD_MS = (30 * 24 - 1) * 60 * 60 * 1000;

/** How long a task may last that the sweep lays each minute, so that there is one of them at a time. */
export const SWEEP_TASK_SECONDS = 50;

function prefixed(id: string, rest: string): string {
  return `${createHash('sha256').update(`${id}${rest}`).digest('hex').slice(0, 6)}-${rest}`;
}

/** `attempt` is 0 for the safety net laid at creation, and a time in seconds for each later one. */
export function provisionTaskName(id: string, generation: number, attempt = 0): string {
  const suffix = attempt === 0 ? '' : `-t${attempt}`;
  return prefixed(id, `provision-${id}-g${generation}${suffix}`);
}

export function expireTaskName(id: string, wake: Date): string {
  return prefixed(id, `expire-${id}-${Math.floor(wake.getTime() / 1000)}`);
}

/** One per pod: it is stopped once. */
export function stopTaskName(id: string, generation: number): string {
  return prefixed(id, `stop-${id}-g${generation}`);
}

/**
 * When to look at the session next, as far ahead as a task may lie: at its deadline; while it runs, also when it may have been idle for
 * too long.
 */
export function wakeTime(session: SessionDocument, now: Date): Date {
  const due = session.status === 'running' ? (session.due_at ?? session.expires_at) : session.expires_at;
  return new Date(Math.min(Date.parse(due), now.getTime() + LONGEST_AHEAD_MS));
}
