/** What only a file can do: several processes on it, and their sudden end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../../shared/documents/database.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import { keyIn, refusal } from './documents-fixture.ts';

const child = fileURLToPath(new URL('documents-sqlite-child.ts', import.meta.url));
let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-sqlite-'));
  file = join(folder, 'data', 'berth.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function using<R>(work: (store: DocumentStore) => Promise<R>, busyTimeoutMs = 5_000): Promise<R> {
  const database = openDatabase(file, { busyTimeoutMs });
  const store = openSqlite({ database });
  try {
    return await work(store);
  } finally {
    await store.close();
    database.close();
  }
}

it('keeps its documents when it is closed and opened again', async () => {
  const created = await using((store) => store.create(keyIn('things', 'a'), { n: 1 }));
  await using(async (store) => {
    expect(await store.get(keyIn('things', 'a'))).toEqual(created);
    expect((await store.update(keyIn('things', 'a'), { n: 2 }, created.version)).version).not.toBe(created.version);
  });
});

it('loses no acknowledged write of a process that is killed, and stays whole', async () => {
  const writer = spawn(process.execPath, [child, file, 'write'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: string[] = [];
  for await (const line of createInterface(writer.stdout)) {
    acknowledged.push(line);
    if (acknowledged.length === 300) writer.kill('SIGKILL');
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(300);
  await using(async (store) => {
    for (const [n, id] of acknowledged.entries()) expect((await store.get(keyIn('written', id)))?.data).toMatchObject({ n });
    await store.create(keyIn('written', 'after'), {});
  });
  const database = openDatabase(file);
  expect(database.sql.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  database.close();
}, 20_000);

it('lets processes that start together on a new file count without a loss', async () => {
  const processes = Array.from({ length: 3 }, () =>
    spawn(process.execPath, [child, file, 'increment', '200'], { stdio: ['ignore', 'ignore', 'inherit'] }),
  );
  const codes = await Promise.all(processes.map(async (started) => (await once(started, 'exit'))[0] as number | null));
  expect(codes).toEqual([0, 0, 0]);
  expect((await using((store) => store.get(keyIn('counters', 'one'))))?.data).toEqual({ count: 600 });
}, 20_000);

it('is readable by its owner alone, in a folder of its own', async () => {
  await using(async (store) => {
    await store.create(keyIn('things', 'a'), {});
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    const modes = readdirSync(join(folder, 'data')).map((name) => [name, statSync(join(folder, 'data', name)).mode & 0o777]);
    expect(Object.fromEntries(modes)).toEqual({ 'berth.db': 0o600, 'berth.db-shm': 0o600, 'berth.db-wal': 0o600 });
  });
});

it('leaves the mode of a folder alone that was there before', async () => {
  mkdirSync(join(folder, 'data'), { mode: 0o755 });
  await using(async () => undefined);
  expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o755);
});

it('calls a file that is no database, or cannot be made, unavailable', () => {
  mkdirSync(join(folder, 'data'));
  writeFileSync(file, 'not a database, but long enough to be read as the head of one '.repeat(20));
  expect(() => openDatabase(file)).toThrow(expect.objectContaining(refusal('unavailable')));
  expect(() => openDatabase(join(file, 'below'))).toThrow(expect.objectContaining(refusal('unavailable')));
});

it('answers unavailable after a bounded wait where another process holds the file', async () => {
  await using(async (store) => {
    const blocking = openDatabase(file);
    blocking.sql.exec('BEGIN IMMEDIATE');
    await expect(store.create(keyIn('things', 'a'), {})).rejects.toMatchObject(refusal('unavailable'));
    blocking.sql.exec('ROLLBACK');
    blocking.close();
    await store.create(keyIn('things', 'a'), {});
  }, 300);
});
