/**
 * A journal of what was written to one collection, kept by triggers of the database: whoever works through it misses no write, of
 * whatever process and however long nobody has looked, and is told with each what was there before. Deletions are not in it.
 *
 * @module
 */
import { checkCollection } from './check.ts';
import { type Database, translated } from './database.ts';
import { written } from './sqlite-changes.ts';

export interface JournalEntry {
  readonly id: string;
  /** Of the document after the write; no other write has it. */
  readonly version: string;
  /** Absent where the document is new. */
  readonly before?: object;
  readonly after: object;
}

export interface Journal {
  /**
   * From the oldest on, and then each as it is written, until the signal aborts. An entry is done when the next one is asked for; what is
   * not done comes again the next time. After a sudden end, some that were done do so, too. For one reader at a time.
   */
  entries(signal: AbortSignal): AsyncIterable<JournalEntry>;
}

const PAGE = 100;

function schemaOf(collection: string): string {
  const condition = `WHEN new.collection = '${collection}'`;
  const record = (before: string): string =>
    `BEGIN INSERT INTO journal VALUES (new.version, new.collection, new.id, ${before}, new.data); END`;
  return `
    CREATE TABLE IF NOT EXISTS journal (
      version INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, before TEXT, after TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER IF NOT EXISTS "journal_created_${collection}" AFTER INSERT ON documents ${condition} ${record('NULL')};
    CREATE TRIGGER IF NOT EXISTS "journal_updated_${collection}" AFTER UPDATE ON documents ${condition} ${record('old.data')};`;
}

/** The journal of the collection, which begins with the first call for this file. The store has to have been opened before. */
export function openJournal(database: Database, collection: string): Journal {
  checkCollection(collection);
  database.write(() => database.sql.exec(schemaOf(collection)));
  return { entries: (signal) => read(database, collection, signal) };
}

async function* read(database: Database, collection: string, signal: AbortSignal): AsyncGenerator<JournalEntry> {
  const page = database.sql.prepare(`SELECT version, id, before, after FROM journal WHERE collection = ? ORDER BY version LIMIT ${PAGE}`);
  const remove = database.sql.prepare('DELETE FROM journal WHERE collection = ? AND version <= ?');
  while (!signal.aborted) {
    const rows = translated(() => page.all(collection));
    let done: number | undefined;
    try {
      for (const { version, id, before, after } of rows) {
        if (signal.aborted) return;
        yield { id: String(id), version: String(version), after: parse(after), ...(before === null ? {} : { before: parse(before) }) };
        done = Number(version);
      }
    } finally {
      const last = done;
      if (last !== undefined) database.write(() => remove.run(collection, last));
    }
    if (rows.length === 0) await written(database, signal);
  }
}

function parse(json: unknown): object {
  return JSON.parse(String(json)) as object;
}
