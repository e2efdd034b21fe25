import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../shared/config.ts';
import type { Deps } from '../../../shared/deps.ts';
import { openDatabase, type Database } from '../../../shared/documents/database.ts';
import { openSqlite } from '../../../shared/documents/sqlite.ts';
import { takeLease } from '../../../shared/sweep/lease.ts';
import { testNow } from '../../fakes/session-document.ts';

/** No process has this number. */
const deadOwner = '999999999-1';
const key = { collection: 'sweep', id: 'lease' };

describe('the lease of a pass', () => {
  let folder: string;
  let database: Database;
  let now: Date;
  let passes: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-lease-'));
    database = openDatabase(join(folder, 'berth.db'));
    now = testNow;
    passes = 0;
  });

  afterEach(async () => {
    database.close();
    await rm(folder, { recursive: true });
  });

  const depsOn = (env: Readonly<Record<string, string>> = {}): Deps => {
    const deps: Partial<Deps> = {
      config: parseConfig(env),
      clock: { now: () => now },
      newId: () => `pass-${(passes += 1)}`,
      store: openSqlite({ database }),
    };
    return deps as Deps;
  };

  it('keeps a second pass away until it is given back', async () => {
    const deps = depsOn();
    const giveBack = await takeLease(deps);
    expect(giveBack).toBeDefined();
    expect(await takeLease(deps)).toBeUndefined();
    await giveBack?.();
    expect(await takeLease(deps)).toBeDefined();
  });

  it('goes to one of many that ask at once', async () => {
    const deps = depsOn();
    const taken = await Promise.all(Array.from({ length: 10 }, () => takeLease(deps)));
    expect(taken.filter((giveBack) => giveBack !== undefined)).toHaveLength(1);
  });

  it('of a pass that died is over before the next one is due, and giving it back late takes nothing from that one', async () => {
    const deps = depsOn();
    const late = await takeLease(deps);
    now = new Date(testNow.getTime() + 49_999);
    expect(await takeLease(deps)).toBeUndefined();
    now = new Date(testNow.getTime() + 50_000);
    expect(await takeLease(deps)).toBeDefined();
    await late?.();
    expect(await takeLease(deps)).toBeUndefined();
  });

  it('of a process that is gone counts only where the process may be on another machine', async () => {
    const lease = { pass: 'p', owner: deadOwner, expires_at: new Date(testNow.getTime() + 10_000).toISOString() };
    const deps = depsOn();
    await deps.store.create(key, lease);
    expect(await takeLease(depsOn({ BERTH_STORE: 'firestore', GOOGLE_CLOUD_PROJECT: 'p' }))).toBeUndefined();
    expect(await takeLease(deps)).toBeDefined();
  });
});
