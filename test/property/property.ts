/**
 * The property: whatever is done, in whatever order, under whatever weather, no rule is broken.
 */
import fc from 'fast-check';
import { FakeClock } from '../fakes/fake-clock.ts';
import { openMemoryStore } from '../fakes/faulty-store-memory.ts';
import { commandsArbitrary, type Command } from './commands.ts';
import { addCounts, noCounts, type Counts } from './ledger.ts';
import { runWorld } from './run.ts';
import { weatherArbitrary, type Weather } from './weather.ts';

export interface PropertyOptions {
  readonly seed: number;
  readonly runs: number;
  /** Looks for the smallest counterexample; else the first one will do. */
  readonly shrinks: boolean;
}

export interface Outcome {
  readonly runs: number;
  readonly counts: Counts;
  /** The rule that was broken, and how to see it again. */
  readonly failure: Failure | undefined;
}

export interface Failure {
  readonly violation: string;
  readonly seed: number;
  readonly path: string;
  readonly weather: Weather;
  readonly commands: readonly Command[];
  readonly story: readonly string[];
}

export async function checkProperty({ seed, runs, shrinks }: PropertyOptions): Promise<Outcome> {
  const clock = new FakeClock(new Date(0));
  const memory = openMemoryStore(clock);
  const restore = clock.install();
  const random = Math.random;
  const counts = noCounts();
  let done = 0;
  try {
    const property = fc.asyncProperty(weatherArbitrary, commandsArbitrary, async (weather, commands) => {
      const run = await runWorld({ clock, memory, weather, commands });
      addCounts(counts, run.counts);
      done += 1;
      if (run.violations[0] !== undefined) throw new Error(run.violations[0]);
    });
    const details = await fc.check(property, { seed, numRuns: runs, endOnFailure: !shrinks });
    const [weather, commands] = details.counterexample ?? [];
    if (weather === undefined || commands === undefined) return { runs: done, counts, failure: undefined };
    const again = await runWorld({ clock, memory, weather, commands, keepsStory: true });
    const violation = again.violations.join('\n') || `not seen again: ${String(details.errorInstance)}`;
    const path = details.counterexamplePath ?? '';
    return { runs: done, counts, failure: { violation, seed, path, weather, commands, story: again.story } };
  } finally {
    Math.random = random;
    restore();
    memory.close();
  }
}
