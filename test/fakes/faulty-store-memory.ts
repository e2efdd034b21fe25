/**
 * The SQLite store without a file: the same code, gone with the test.
 */
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../shared/clock.ts';
import type { Database } from '../../shared/documents/database.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';

export interface MemoryStore {
  readonly store: DocumentStore;
  /** Removes every document. */
  clear(): void;
  close(): void;
}

export function openMemoryStore(clock: Clock): MemoryStore {
  const sql = new DatabaseSync(':memory:');
  sql.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
  const listeners = new Set<() => void>();
  const database: Database = {
    sql,
    write: (work) => {
      sql.exec('SAVEPOINT one');
      try {
        const result = work();
        sql.exec('RELEASE one');
        for (const listener of listeners) listener();
        return result;
      } catch (error) {
        sql.exec('ROLLBACK TO one; RELEASE one');
        throw error;
      }
    },
    onWrite: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => sql.close(),
  };
  const store = openSqlite({ database, clock });
  return { store, clear: () => sql.exec('DELETE FROM documents; DELETE FROM deletions'), close: () => sql.close() };
}
