/**
 * `npm run sweep` beside a running `npm start`.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBerth, type BerthProcess } from '../fakes/berth-process.ts';
import { makeByHand } from '../fakes/made-by-hand.ts';
import { startObserver, type Observer } from '../fakes/observer.ts';

const program = fileURLToPath(new URL('../../dev/sweep.ts', import.meta.url));

describe('npm run sweep', { timeout: 60_000 }, () => {
  let directory: string;
  let berth: BerthProcess;
  let observer: Observer;
  // Its own timer must not be what does the work.
  const env = { BERTH_SWEEP_SECONDS: '3600', BERTH_ORPHAN_GRACE_SECONDS: '0', BERTH_LOG_LEVEL: 'warn' };

  const run = async (...args: readonly string[]): Promise<readonly Record<string, unknown>[]> => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, '--data-dir', directory, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    });
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-sweep-'));
    berth = await startBerth({ directory, env });
    observer = await startObserver(directory);
  });

  afterAll(async () => {
    await observer.end();
    await berth.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('says what it would do, then does it', async () => {
    const kubernetes = await observer.deps.kubernetes();
    const made = await makeByHand(kubernetes, observer.deps.installation);
    const planned = await run('--dry-run');
    expect(planned).toContainEqual({
      action: 'remove_pod',
      object: 'by-hand',
      k8s_namespace: made.neutral,
      why: 'its session is not known',
    });
    expect(await made.left(kubernetes)).toEqual(['claim', 'namespace', 'pod', 'policy']);
    const [report] = await run('--full');
    expect(report).toMatchObject({
      full: true,
      failures: 0,
      actions: { remove_pod: 1, remove_claim: 1, remove_policy: 1, remove_namespace: 1 },
    });
    await expect.poll(() => made.left(kubernetes), { timeout: 20_000 }).toEqual([]);
  });

  it('refuses to start a cluster of its own', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'berth-sweep-'));
    await expect(run('--data-dir', empty)).rejects.toMatchObject({ stderr: expect.stringMatching(/no Berth runs with/) as string });
    await rm(empty, { recursive: true });
  });
});
