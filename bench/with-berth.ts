/**
 * A Berth of the bench's own, in a folder of its own, and nothing left of it afterwards.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BerthOptions, type BerthProcess, startBerth } from '../test/fakes/berth-process.ts';

export async function withBerth<T>(options: Omit<BerthOptions, 'directory'>, use: (berth: BerthProcess) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  try {
    const berth = await startBerth({ directory, ...options });
    try {
      return await use(berth);
    } finally {
      await berth.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
