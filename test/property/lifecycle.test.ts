/**
 * The life cycle as a whole, by chance: thousands of lives in which everything happens at once and everything fails, judged after every
 * write (rules.ts), at every removal (removals.ts) and at the end (settle.ts).
 *
 * `BERTH_PROPERTY_RUNS` and `BERTH_PROPERTY_SEED` make it longer and other than it is in the suite.
 */
import { describe, expect, it } from 'vitest';
import { checkInThread } from './check.ts';
import { edges } from './edges.ts';
import { addCounts, noCounts } from './ledger.ts';
import { mutations } from './mutations.ts';
import { countsTable, failureText } from './report.ts';

const MINUTE = 60_000;
const RUNS = Number(process.env['BERTH_PROPERTY_RUNS'] ?? 2000);
const SEED = Number(process.env['BERTH_PROPERTY_SEED'] ?? 5);
const SHARDS = 2;
/** A broken rule has to show within so many lives. */
const MUTANT_RUNS = 1000;
const OFTEN_ENOUGH = 20;

describe('the life cycle of sessions', () => {
  it('breaks no rule in thousands of random lives, and takes every edge of its table', { timeout: 10 * MINUTE }, async () => {
    const outcomes: Awaited<ReturnType<typeof checkInThread>>[] = [];
    // One after the other: another file has the other processor.
    for (let shard = 0; shard < SHARDS; shard += 1) {
      outcomes.push(await checkInThread({ seed: SEED + shard, runs: RUNS / SHARDS, shrinks: true }));
    }
    const counts = noCounts();
    for (const outcome of outcomes) addCounts(counts, outcome.counts);
    console.log(countsTable(counts));
    expect(outcomes.flatMap(({ failure }) => (failure === undefined ? [] : [failureText(failure)]))).toEqual([]);
    expect(outcomes.reduce((sum, { runs }) => sum + runs, 0)).toBe(RUNS);
    expect(edges.filter((edge) => (counts.edges[edge] ?? 0) < OFTEN_ENOUGH)).toEqual([]);
  });

  it.for(mutations)('is seen through where it is broken: $name', { timeout: 5 * MINUTE }, async (mutation) => {
    const { failure } = await checkInThread({ seed: mutation.seed ?? SEED, runs: MUTANT_RUNS, shrinks: false, mutation });
    expect(failure?.violation).toBeTypeOf('string');
  });
});
