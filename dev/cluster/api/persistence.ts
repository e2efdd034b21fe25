/**
 * The objects on disk: one SQLite file, one row an object. It is read once, at the start, and written with every change.
 *
 * @module
 */
import { DatabaseSync } from 'node:sqlite';

export interface Row {
  /** `group/plural`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly body: string;
}

export interface Persistence {
  load(): { readonly revision: number; readonly rows: readonly Row[] };
  put(row: Row, revision: number): void;
  drop(row: Omit<Row, 'body'>, revision: number): void;
  close(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (resource, namespace, name)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS latest (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
  INSERT OR IGNORE INTO latest VALUES (1, 1);
`;

/**
 * Opens or makes the file. The lock is exclusive: a second cluster on the same folder fails at once ("database is locked") instead of
 * writing beside the first. `synchronous=NORMAL` survives a killed process; a power cut may lose the last changes.
 */
export function openPersistence(file: string): Persistence {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;');
  database.exec(SCHEMA);
  const all = database.prepare('SELECT resource, namespace, name, body FROM objects');
  const highest = database.prepare(
    'SELECT max((SELECT revision FROM latest), coalesce((SELECT max(revision) FROM objects), 0)) AS revision',
  );
  const put = database.prepare('INSERT OR REPLACE INTO objects (resource, namespace, name, revision, body) VALUES (?, ?, ?, ?, ?)');
  const drop = database.prepare('DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?');
  const setLatest = database.prepare('UPDATE latest SET revision = ?');
  return {
    load() {
      const rows = all.all().map((row) => ({
        resource: String(row['resource']),
        namespace: String(row['namespace']),
        name: String(row['name']),
        body: String(row['body']),
      }));
      return { revision: Number(highest.get()?.['revision']), rows };
    },
    put({ resource, namespace, name, body }, revision) {
      put.run(resource, namespace, name, revision, body);
    },
    drop({ resource, namespace, name }, revision) {
      // The row that carried the highest revision may be the one that goes.
      database.exec('BEGIN');
      setLatest.run(revision);
      drop.run(resource, namespace, name);
      database.exec('COMMIT');
    },
    close() {
      database.close();
    },
  };
}
