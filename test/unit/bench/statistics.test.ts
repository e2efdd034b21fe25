import { describe, expect, it } from 'vitest';
import { median, medianInterval, quantile, ratioInterval, ratioOfMedians, seededRandom } from '../../../bench/statistics.ts';

describe('quantiles', () => {
  it.each([
    [[3], 3],
    [[4, 1], 2.5],
    [[9, 1, 5], 5],
    [[10, 2, 8, 4], 6],
  ])('the median of %j is %d', (samples, expected) => {
    expect(median(samples)).toBe(expected);
  });

  it('interpolates between neighbours and leaves the samples in their order', () => {
    const samples = [50, 10, 40, 20, 30];
    expect([0, 0.25, 0.95, 1].map((part) => quantile(samples, part))).toEqual([10, 20, 48, 50]);
    expect(samples).toEqual([50, 10, 40, 20, 30]);
  });

  it('refuses to speak about no samples', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('ratios', () => {
  it('divides the medians', () => {
    expect(ratioOfMedians([2, 4, 900], [1, 2, 3])).toBe(2);
  });

  it('has no interval where the samples never vary', () => {
    expect(ratioInterval([6, 6, 6], [3, 3, 3], seededRandom(1))).toEqual({ low: 2, high: 2 });
  });

  it('keeps the two sides of a round together, so that what slows both cancels out', () => {
    const baseline = Array.from({ length: 60 }, (_, round) => 10 + round);
    const subject = baseline.map((milliseconds) => milliseconds * 1.5);
    const interval = ratioInterval(subject, baseline, seededRandom(1));
    expect(interval.low).toBeCloseTo(1.5, 10);
    expect(interval.high).toBeCloseTo(1.5, 10);
    const shuffled = ratioInterval(subject.toReversed(), baseline, seededRandom(1));
    expect(shuffled.high - shuffled.low).toBeGreaterThan(0.1);
  });

  it('refuses lists that are no pairs', () => {
    expect(() => ratioInterval([1, 2], [1], seededRandom(1))).toThrow('not pairs');
  });
});

describe('the interval of a median', () => {
  it('holds the true median in about 95 of 100 experiments', () => {
    const random = seededRandom(7);
    let held = 0;
    for (let experiment = 0; experiment < 100; experiment += 1) {
      const { low, high } = medianInterval(Array.from({ length: 40 }, random), random);
      if (low <= 0.5 && 0.5 <= high) held += 1;
    }
    expect(held).toBeGreaterThanOrEqual(88);
    expect(held).toBeLessThan(100);
  });

  it('is the same for the same seed', () => {
    const samples = [5, 1, 4, 2, 8, 6];
    expect(medianInterval(samples, seededRandom(3))).toEqual(medianInterval(samples, seededRandom(3)));
  });
});
