/**
 * What goes wrong around Berth in one run: rates from 0 to 1, and who is unlucky.
 */
import fc from 'fast-check';

export interface Weather {
  readonly seed: number;
  readonly slowness: number;
  readonly storeUnavailable: number;
  readonly storeConflict: number;
  readonly apiBefore: number;
  readonly apiAfter: number;
  readonly watchGone: number;
  readonly taskLost: number;
  readonly taskDuplicate: number;
  readonly taskLate: number;
  readonly queueUnavailable: number;
  readonly badPods: number;
  readonly slowDeletions: number;
  /** Seconds by which this Berth's clock is ahead of the cluster's. */
  readonly skewSeconds: number;
}

/** Often none at all, so that a rule is tried alone, too. */
function rate(highest: number): fc.Arbitrary<number> {
  return fc.oneof(
    { arbitrary: fc.constant(0), weight: 2 },
    { arbitrary: fc.integer({ min: 1, max: 100 }).map((percent) => (percent * highest) / 100), weight: 3 },
  );
}

export const weatherArbitrary: fc.Arbitrary<Weather> = fc.record({
  seed: fc.nat(),
  slowness: fc.constantFrom(1, 1, 3, 10),
  storeUnavailable: rate(0.05),
  storeConflict: rate(0.3),
  apiBefore: rate(0.04),
  apiAfter: rate(0.06),
  watchGone: rate(0.1),
  taskLost: rate(0.5),
  taskDuplicate: rate(0.5),
  taskLate: rate(0.5),
  queueUnavailable: rate(0.05),
  badPods: rate(0.6),
  slowDeletions: rate(0.5),
  skewSeconds: fc.constantFrom(0, 0, 30, -30),
});

export const calm: Omit<Weather, 'seed'> = {
  slowness: 1,
  storeUnavailable: 0,
  storeConflict: 0,
  apiBefore: 0,
  apiAfter: 0,
  watchGone: 0,
  taskLost: 0,
  taskDuplicate: 0,
  taskLate: 0,
  queueUnavailable: 0,
  badPods: 0,
  slowDeletions: 0,
  skewSeconds: 0,
};
