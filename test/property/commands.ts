/**
 * What people, clusters and clocks do: the events of a run, drawn by fast-check and carried out one after another, or at once.
 */
import fc from 'fast-check';
import type { SessionStatus } from '../../shared/sessions/model.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { acts, type Act } from './acts.ts';
import { isLive } from './rules.ts';
import type { World } from './world.ts';

export interface Command {
  readonly act: Act;
  /** Which session it is about, among those that it makes sense for. */
  readonly pick: number;
  /** How it is done; each act reads it in its own way. */
  readonly how: number;
  /** Milliseconds until the next command; 0: at once. */
  readonly thenWait: number;
}

const SECOND = 1000;
const MINUTE = 60_000;

const waitArbitrary: fc.Arbitrary<number> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 60 }) },
  { weight: 4, arbitrary: fc.integer({ min: 60, max: 3 * SECOND }) },
  { weight: 5, arbitrary: fc.integer({ min: 3 * SECOND, max: 20 * SECOND }) },
  { weight: 2, arbitrary: fc.integer({ min: 20 * SECOND, max: 3 * MINUTE }) },
  { weight: 1, arbitrary: fc.integer({ min: 5 * MINUTE, max: 12 * MINUTE }) },
);

/** How often each comes, relative to the others. */
const weights: Readonly<Record<Act, number>> = {
  create: 12,
  'create twice': 2,
  project: 8,
  delete: 8,
  'delete project': 2,
  stop: 8,
  start: 8,
  restart: 3,
  extend: 3,
  use: 3,
  compute: 3,
  'start beside others': 3,
  'late word of an earlier pod': 9,
  'kill a pod': 16,
  'kill again and again': 6,
  'delete while stopping': 3,
  'wait for a deadline': 4,
  'act at a deadline': 6,
  'wait until idle': 2,
  'die in the middle': 3,
  'API server away': 2,
  'sweep twice at once': 3,
  'orphan by hand': 2,
  'lower limits': 1,
  'delete a volume': 2,
};

const actArbitrary = fc.oneof(
  ...(Object.entries(weights) as [Act, number][]).map(([act, weight]) => ({ weight, arbitrary: fc.constant(act) })),
);

export const commandsArbitrary: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.record({ act: actArbitrary, pick: fc.nat(1000), how: fc.nat(10_000), thenWait: waitArbitrary }),
  { minLength: 1, maxLength: 24, size: 'max' },
);

/** States that the act is made for; most of the time it gets a session in one of them, now and then any. */
const preferred: Readonly<Partial<Record<Act, readonly SessionStatus[]>>> = {
  stop: ['running'],
  start: ['stopped', 'failed', 'stopping'],
  restart: ['running', 'stopped'],
  extend: ['running', 'creating', 'stopped'],
  use: ['running'],
  compute: ['running'],
  'kill a pod': ['running'],
  'kill again and again': ['running'],
  'delete while stopping': ['running'],
  'wait until idle': ['running'],
  'start beside others': ['stopped', 'failed'],
  'late word of an earlier pod': ['running', 'creating', 'stopping'],
};

export function pickSession(world: World, { act, pick, how }: Command): SessionDocument | undefined {
  const live = [...world.mirror.sessions.values()].filter(isLive);
  const states = how % 10 === 0 ? undefined : preferred[act];
  const fitting = states === undefined ? live : live.filter(({ status }) => states.includes(status));
  const candidates = fitting.length > 0 ? fitting : live;
  return candidates[pick % Math.max(1, candidates.length)];
}

/** Begins it, and lets the time after it pass; what it does may well go on longer. */
export async function carryOut(world: World, command: Command): Promise<void> {
  const session = pickSession(world, command);
  world.ledger.tell(() => `${command.act} ${session?.id ?? ''} (${command.how})`);
  const began = await acts[command.act](world, { ...command, session });
  if (began) world.ledger.event(command.act);
  await world.clock.advance(command.thenWait);
}
