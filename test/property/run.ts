/**
 * One life of one world: its commands one after another, some at once, then the reckoning.
 */
import { seededChance } from '../fakes/fake-clock-network.ts';
import type { FakeClock } from '../fakes/fake-clock.ts';
import type { MemoryStore } from '../fakes/faulty-store-memory.ts';
import { carryOut, type Command } from './commands.ts';
import type { Counts } from './ledger.ts';
import { judgeAfterTwoSweeps, judgeDeadlines, judgeEmptiness } from './settle.ts';
import type { Weather } from './weather.ts';
import { createWorld, type World } from './world.ts';

export interface Run {
  readonly violations: readonly string[];
  readonly counts: Counts;
  readonly story: readonly string[];
}

export interface RunOptions {
  readonly clock: FakeClock;
  readonly memory: MemoryStore;
  readonly weather: Weather;
  readonly commands: readonly Command[];
  readonly keepsStory?: boolean;
}

const START = new Date('2026-03-01T12:00:00.000Z');
const SWEEP_MS = 60_000;
const DEADLINE_SWEEPS = 4;

export async function runWorld({ clock, memory, weather, commands, keepsStory = false }: RunOptions): Promise<Run> {
  clock.reset(START);
  memory.clear();
  // Pauses between retries are drawn from it; a run is to be had again.
  Math.random = seededChance(weather.seed + 1);
  const world = await createWorld({ clock, memory, weather, keepsStory });
  const stopSweeping = sweepEachMinute(world);
  for (const command of commands) {
    await carryOut(world, command);
    if (world.ledger.violations.length > 0) break;
  }
  stopSweeping();
  for (const judge of [judgeAfterTwoSweeps, (judged: World) => judgeDeadlines(judged, DEADLINE_SWEEPS), judgeEmptiness]) {
    if (world.ledger.violations.length === 0) await judge(world);
  }
  const { violations, counts, story } = world.ledger;
  return { violations, counts, story };
}

function sweepEachMinute(world: World): () => void {
  let timer = world.clock.after(SWEEP_MS, sweep);
  function sweep(): void {
    world
      .services()
      .sweep()
      .catch(() => undefined);
    timer = world.clock.after(SWEEP_MS, sweep);
  }
  return () => timer.cancel();
}
