/**
 * `npm start` with its embedded cluster: how long until it serves, and what a session costs there.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBerth } from '../test/fakes/berth-process.ts';
import { interleave, timed } from './interleave.ts';
import { medianFigure, type SuiteResult } from './report.ts';
import { createSession, deleteSession, execute } from './session-calls.ts';
import type { SuiteOptions } from './suite.ts';

const STARTS = 5;
const ROUNDS = 50;

/** Each start finds an empty folder: it makes its store, its key and its cluster anew. */
async function timeStarts(starts: number): Promise<number[]> {
  const { start } = await interleave(
    {
      start: async () => {
        const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
        const berth = await startBerth({ directory });
        await berth.stop();
        await rm(directory, { recursive: true, force: true });
        return berth.readyMs;
      },
    },
    { rounds: starts, warmUp: 1 },
  );
  return start;
}

export async function embeddedSuite({ rounds = ROUNDS, progress }: SuiteOptions): Promise<SuiteResult> {
  progress('npm start');
  const ready = await timeStarts(STARTS);
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  const berth = await startBerth({ directory });
  try {
    const kept = await createSession(berth);
    const samples = await interleave(
      {
        first: async () => {
          let created: Awaited<ReturnType<typeof createSession>> | undefined;
          const milliseconds = await timed(async () => {
            created = await createSession(berth);
            await execute(berth, created, 'echo hi');
          });
          if (created !== undefined) await deleteSession(berth, created);
          return milliseconds;
        },
        execute: () => timed(() => execute(berth, kept, 'true')),
      },
      { rounds, warmUp: 3, onRound: (done, of) => progress(`sessions ${done}/${of}`) },
    );
    return {
      figures: [
        medianFigure('npm start to ready', ready, 2_000),
        medianFigure('create to first answer', samples.first, 300),
        medianFigure('execute of true', samples.execute),
      ],
      samples: { ready, ...samples },
    };
  } finally {
    await berth.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
