/**
 * Objects made by hand on a real cluster vanish within two minutes, with a sweep each minute and everything as it is by default.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepRegularly } from '../../dev/serve.ts';
import { newId } from '../../shared/ids.ts';
import { startLife, type Life } from '../fakes/life.ts';
import { makeByHand, removeByHand } from '../fakes/made-by-hand.ts';

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'];
if (kubeconfigFile === undefined) console.warn('SKIPPED: orphans on a real cluster. Set BERTH_TEST_KUBECONFIG to a kubeconfig to run it.');

describe.skipIf(kubeconfigFile === undefined)('orphans on the real cluster', () => {
  let directory: string;
  let life: Life;
  const installation = newId().slice(0, 8);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-orphans-'));
    life = await startLife({ databaseFile: join(directory, 'berth.db'), kubeconfigFile: kubeconfigFile ?? '', installation });
  });

  afterAll(async () => {
    await life.end();
    await rm(directory, { recursive: true, force: true });
  });

  it('vanish within two minutes', async () => {
    const kubernetes = await life.deps.kubernetes();
    await life.services.sweep();
    const made = await makeByHand(kubernetes, installation);
    const stop = sweepRegularly(life.deps, life.services, life.deps.config.sweepSeconds);
    try {
      await expect.poll(() => made.left(kubernetes), { timeout: 120_000, interval: 1000 }).toEqual([]);
    } finally {
      await stop();
      await removeByHand(kubernetes, made);
    }
  });
});
