import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authenticate } from '../../../shared/auth/authenticate.ts';
import { ensureDevelopmentKey } from '../../../shared/auth/development-key.ts';
import { createKeyCache } from '../../../shared/auth/key-cache.ts';
import { createRecent } from '../../../shared/auth/recent.ts';
import { revokeKey } from '../../../shared/auth/keys.ts';
import { systemClock } from '../../../shared/clock.ts';
import { openDatabase } from '../../../shared/documents/database.ts';
import type { DocumentStore } from '../../../shared/documents/port.ts';
import { openSqlite } from '../../../shared/documents/sqlite.ts';

let folder: string;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-key-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await rm(folder, { recursive: true });
});

function newStore(name: string): DocumentStore {
  const database = openDatabase(join(folder, name, 'berth.db'));
  const store = openSqlite({ database });
  closing.push(async () => {
    await store.close();
    database.close();
  });
  return store;
}

const callerOf = (store: DocumentStore, key: string) =>
  authenticate(
    {
      keys: createKeyCache(store, systemClock),
      clock: systemClock,
      identity: undefined,
      users: createRecent(async () => undefined, systemClock),
    },
    { apiKey: key.trim(), authorization: undefined, requestId: 'r' },
  );

describe('ensureDevelopmentKey', () => {
  it('writes a key that only its owner can read, of kind admin, for the user local of type admin', async () => {
    const [store, data] = [newStore('a'), join(folder, 'data')];
    expect(await ensureDevelopmentKey(store, data)).toEqual({ file: join(data, 'api-key'), created: true });
    const key = await readFile(join(data, 'api-key'), 'utf8');
    expect(key).toMatch(/^berth_[0-9a-z]{26}_[A-Za-z0-9_-]{43}\n$/);
    expect((await stat(join(data, 'api-key'))).mode & 0o777).toBe(0o600);
    expect(await readdir(data)).toEqual(['api-key']);
    expect(await callerOf(store, key)).toMatchObject({ kind: 'admin', user: 'local' });
    expect((await store.get({ collection: 'users', id: 'local' }))?.data).toMatchObject({ type: 'admin' });
  });

  it('keeps the key at the next start', async () => {
    const store = newStore('a');
    await ensureDevelopmentKey(store, folder);
    const key = await readFile(join(folder, 'api-key'), 'utf8');
    expect(await ensureDevelopmentKey(store, folder)).toMatchObject({ created: false });
    expect(await readFile(join(folder, 'api-key'), 'utf8')).toBe(key);
  });

  it('makes the same key work in a store that was emptied', async () => {
    await ensureDevelopmentKey(newStore('a'), folder);
    const emptied = newStore('b');
    await ensureDevelopmentKey(emptied, folder);
    expect(await callerOf(emptied, await readFile(join(folder, 'api-key'), 'utf8'))).toMatchObject({ kind: 'admin' });
  });

  it('does not bring a revoked key back', async () => {
    const store = newStore('a');
    await ensureDevelopmentKey(store, folder);
    const key = await readFile(join(folder, 'api-key'), 'utf8');
    await revokeKey({ store, clock: systemClock }, key.split('_')[1] ?? '');
    await ensureDevelopmentKey(store, folder);
    await expect(callerOf(store, key)).rejects.toThrow('revoked');
  });

  it('refuses a file that holds something else, and says what to do', async () => {
    await writeFile(join(folder, 'api-key'), 'my key');
    await expect(ensureDevelopmentKey(newStore('a'), folder)).rejects.toThrow('remove it');
  });
});
