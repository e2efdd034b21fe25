/**
 * The statistics of the benchmarks. Pure: the source of chance is an argument.
 *
 * @module
 */

/** A number from 0 (included) to 1 (excluded). */
export type Random = () => number;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;
const CONFIDENCE = 0.95;

/** The value below which the given part (0 to 1) of the samples lies, by linear interpolation. Throws `RangeError` without samples. */
export function quantile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * part;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError('there are no samples');
  return below + (above - below) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** The ratio of the medians. The two lists are pairs: element i of both was measured in the same round. */
export function ratioOfMedians(subject: readonly number[], baseline: readonly number[]): number {
  return median(subject) / median(baseline);
}

/** Where the median would lie in 95 of 100 repetitions, by bootstrap. */
export function medianInterval(samples: readonly number[], random: Random): Interval {
  return bootstrap(samples.length, random, (rounds) => median(pick(samples, rounds)));
}

/**
 * Where the ratio of the medians would lie in 95 of 100 repetitions, by bootstrap over rounds: what slowed both sides of a round
 * stays together. Throws `RangeError` where the lists are no pairs.
 */
export function ratioInterval(subject: readonly number[], baseline: readonly number[], random: Random): Interval {
  if (subject.length !== baseline.length) throw new RangeError('the samples are not pairs');
  return bootstrap(subject.length, random, (rounds) => ratioOfMedians(pick(subject, rounds), pick(baseline, rounds)));
}

function pick(samples: readonly number[], rounds: readonly number[]): readonly number[] {
  return rounds.map((round) => samples[round] ?? Number.NaN);
}

function bootstrap(size: number, random: Random, estimate: (rounds: readonly number[]) => number): Interval {
  const estimates = Array.from({ length: RESAMPLES }, () => estimate(Array.from({ length: size }, () => Math.floor(random() * size))));
  return { low: quantile(estimates, (1 - CONFIDENCE) / 2), high: quantile(estimates, (1 + CONFIDENCE) / 2) };
}

/** Chance that is the same in every run: mulberry32, good enough to draw samples. */
export function seededRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
