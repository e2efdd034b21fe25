/**
 * The change feed of the SQLite store. Every write takes the next number of one sequence, a deletion leaves its number behind, and a
 * feed reads what has a higher number than the last it reported: in order, and never more in memory than one page.
 *
 * @module
 */
import type { Database } from './database.ts';
import type { Change, StoredDocument } from './port.ts';

/** How soon a write of another process is noticed, in milliseconds. */
const POLL_MS = 200;
const PAGE = 100;

export interface DocumentRow {
  readonly id: string;
  readonly data: string;
  readonly version: number;
  readonly updated_at: number;
}

interface ChangeRow extends Omit<DocumentRow, 'data'> {
  readonly data: string | null;
}

export function toDocument<T>(collection: string, row: DocumentRow): StoredDocument<T> {
  return {
    key: { collection, id: row.id },
    data: JSON.parse(row.data) as T,
    version: String(row.version),
    updatedAt: new Date(row.updated_at),
  };
}

/** The number of the last write to the file, by whatever process. */
export function lastSequence(database: Database): number {
  const row = database.sql.prepare('SELECT value FROM sequence').get() as { value: number } | undefined;
  return row?.value ?? 0;
}

/** Changes with a number above `after`, until the signal aborts. */
export async function* feed<T>(database: Database, collection: string, after: number, signal: AbortSignal): AsyncGenerator<Change<T>> {
  const read = database.sql.prepare(`
    SELECT id, data, version, updated_at FROM documents WHERE collection = :collection AND version > :after
    UNION ALL SELECT id, NULL, version, deleted_at FROM deletions WHERE collection = :collection AND version > :after
    ORDER BY version LIMIT ${PAGE}`);
  let position = after;
  while (!signal.aborted) {
    const rows = read.all({ collection, after: position }).map((row) => row as ChangeRow);
    for (const { data, ...row } of rows) {
      if (signal.aborted) return;
      const key = { collection, id: row.id };
      position = row.version;
      yield data === null ? { key } : { key, document: toDocument<T>(collection, { ...row, data }) };
    }
    if (rows.length === 0) await written(database, signal);
  }
}

/** Resolves after a write of this process, after the poll interval, or when the signal aborts. */
function written(database: Database, signal: AbortSignal): Promise<void> {
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
