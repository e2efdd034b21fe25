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

/** When to look at the session's deadline next: at the deadline, or as far ahead as a task may lie. */
export function wakeTime(session: SessionDocument, now: Date): Date {
  return new Date(Math.min(Date.parse(session.expires_at), now.getTime() + LONGEST_AHEAD_MS));
}
