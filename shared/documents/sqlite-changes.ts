/**
 * The change feed of the SQLite store. Every write takes the next number of one sequence, a deletion leaves its number behind, and a
 * feed reads what has a higher number than the last it reported: in order, and never more in memory than one page.
 *
 * @module
 */
import type { SQLOutputValue } from 'node:sqlite';
import type { Database } from './database.ts';
import type { Change, StoredDocument } from './port.ts';

/** How soon a write of another process is noticed, in milliseconds. */
const POLL_MS = 200;
const PAGE = 100;

/** A row with the columns `id, data, version, updated_at`, where `data` is the document's JSON. */
export function toDocument<T>(collection: string, row: Record<string, SQLOutputValue>): StoredDocument<T> {
  return {
    key: { collection, id: String(row['id']) },
    data: JSON.parse(String(row['data'])) as T,
    version: String(row['version']),
    updatedAt: new Date(Number(row['updated_at'])),
  };
}

/** The number of the last write to the file, by whatever process. */
export function lastSequence(database: Database): number {
  return Number(database.sql.prepare('SELECT value FROM sequence').get()?.['value'] ?? 0);
}

/** Changes with a number above `after`, until the signal aborts. */
export async function* feed<T>(database: Database, collection: string, after: number, signal: AbortSignal): AsyncGenerator<Change<T>> {
  const read = database.sql.prepare(`
    SELECT id, data, version, updated_at FROM documents WHERE collection = :collection AND version > :after
    UNION ALL SELECT id, NULL, version, deleted_at FROM deletions WHERE collection = :collection AND version > :after
    ORDER BY version LIMIT ${PAGE}`);
  let position = after;
  while (!signal.aborted) {
    const rows = read.all({ collection, after: position });
    for (const row of rows) {
      if (signal.aborted) return;
      position = Number(row['version']);
      yield row['data'] === null ? { key: { collection, id: String(row['id']) } } : toChange<T>(toDocument<T>(collection, row));
    }
    if (rows.length === 0) await written(database, signal);
  }
}

function toChange<T>(document: StoredDocument<T>): Change<T> {
  return { key: document.key, document };
}

/** Resolves after a write of this process, after the poll interval, or when the signal aborts. */
export function written(database: Database, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      forget();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, POLL_MS);
    const forget = database.onWrite(done);
    signal.addEventListener('abort', done);
  });
}
