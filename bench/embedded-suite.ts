/**
 * `npm start` with its embedded cluster: how long until it serves, and what a session costs there.
 *
 * @module
 */
import type { BerthProcess } from '../test/fakes/berth-process.ts';
import { interleave, timed } from './interleave.ts';
import { medianFigure, type SuiteResult } from './report.ts';
import { createSession, deleteSession, execute } from './session-calls.ts';
import type { SuiteOptions } from './suite.ts';
import { withBerth } from './with-berth.ts';

const STARTS = 5;
const ROUNDS = 50;

async function timeFirstAnswer(berth: BerthProcess): Promise<number> {
  const started = performance.now();
  const session = await createSession(berth);
  await execute(berth, session, 'echo hi');
  const milliseconds = performance.now() - started;
  await deleteSession(berth, session);
  return milliseconds;
}

async function timeSessions(
  berth: BerthProcess,
  { rounds = ROUNDS, progress }: SuiteOptions,
): Promise<Record<'first' | 'execute', number[]>> {
  const kept = await createSession(berth);
  return interleave(
    { first: () => timeFirstAnswer(berth), execute: () => timed(() => execute(berth, kept, 'true')) },
    { rounds, warmUp: 3, onRound: (done, of) => progress(`sessions ${done}/${of}`) },
  );
}

export async function embeddedSuite(options: SuiteOptions): Promise<SuiteResult> {
  options.progress('npm start');
  // Each start finds an empty folder: it makes its store, its key and its cluster anew.
  const start = (): Promise<number> => withBerth({}, (berth) => Promise.resolve(berth.readyMs));
  const { ready } = await interleave({ ready: start }, { rounds: STARTS, warmUp: 1 });
  const samples = await withBerth({}, (berth) => timeSessions(berth, options));
  return {
    figures: [
      medianFigure('npm start to ready', ready, 2_000),
      medianFigure('create to first answer', samples.first, 300),
      medianFigure('execute of true', samples.execute),
    ],
    samples: { ready, ...samples },
  };
}
