/**
 * How long a failed task waits.
 *
 * @module
 */
export interface RetryPolicy {
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

/** Cloud Tasks' own defaults (https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues#retryconfig). */
export const defaultRetryPolicy: RetryPolicy = { minBackoffMs: 100, maxBackoffMs: 3_600_000 };

/** Milliseconds after the failure of this attempt (1 is the first): twice as long each time. */
export function backoffMs(attempt: number, { minBackoffMs, maxBackoffMs }: RetryPolicy): number {
  return Math.min(maxBackoffMs, minBackoffMs * 2 ** (attempt - 1));
}
