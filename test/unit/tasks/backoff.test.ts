import { expect, it } from 'vitest';
import { backoffMs, defaultRetryPolicy } from '../../../shared/tasks/backoff.ts';

it('doubles from the least to the most', () => {
  const policy = { minBackoffMs: 100, maxBackoffMs: 1_000 };
  expect([1, 2, 3, 4, 5, 500].map((attempt) => backoffMs(attempt, policy))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

it('has the defaults of Cloud Tasks: 0.1 s to 1 h', () => {
  expect(backoffMs(1, defaultRetryPolicy)).toBe(100);
  expect(backoffMs(100, defaultRetryPolicy)).toBe(3_600_000);
});
