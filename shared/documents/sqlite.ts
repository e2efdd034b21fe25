/**
 * The document store in one SQLite file: documents are JSON rows, and the version of a document is the number of its last write.
 *
 * @module
 */
import { type Clock, systemClock } from '../clock.ts';
import { checkCollection, checkKey, checkKeys, checkQuery, checkWrites, encodeDocument, keyText } from './check.ts';
import { decodeCursor, toPage } from './cursor.ts';
import { type Database, translated } from './database.ts';
import {
  type Change,
  type Decision,
  type DocumentKey,
  type DocumentStore,
  type Page,
  type Query,
  StoreError,
  type StoredDocument,
  type Write,
} from './port.ts';
import { feed, lastSequence, toDocument } from './sqlite-changes.ts';
import { compileQuery, indexStatements } from './sqlite-query.ts';

/** How long a deletion is remembered for feeds that lag behind, e.g. of a process that was suspended. */
const DELETIONS_KEPT_MS = 24 * 3_600_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY (collection, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS documents_by_version ON documents (collection, version);
  CREATE TABLE IF NOT EXISTS deletions (
    collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, deleted_at INTEGER NOT NULL,
    PRIMARY KEY (collection, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS deletions_by_version ON deletions (collection, version);
  CREATE INDEX IF NOT EXISTS deletions_by_time ON deletions (deleted_at);
  CREATE TABLE IF NOT EXISTS sequence (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO sequence VALUES (1, 0);
  ${indexStatements}
`;

function prepareStatements({ sql }: Database) {
  return {
    get: sql.prepare('SELECT id, data, version, updated_at FROM documents WHERE collection = ? AND id = ?'),
    put: sql.prepare(`INSERT INTO documents (collection, id, data, version, updated_at) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET data = excluded.data, version = excluded.version, updated_at = excluded.updated_at`),
    remove: sql.prepare('DELETE FROM documents WHERE collection = ? AND id = ?'),
    next: sql.prepare('UPDATE sequence SET value = value + 1 RETURNING value'),
    remember: sql.prepare('INSERT OR REPLACE INTO deletions (collection, id, version, deleted_at) VALUES (?, ?, ?, ?)'),
    forget: sql.prepare('DELETE FROM deletions WHERE collection = ? AND id = ?'),
    forgetOld: sql.prepare('DELETE FROM deletions WHERE deleted_at < ?'),
  };
}

export interface SqliteStoreOptions {
  /** Stays open when the store closes: it belongs to who opened it. */
  readonly database: Database;
  readonly clock?: Clock;
}

class SqliteStore implements DocumentStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #closed = new AbortController();

  constructor({ database, clock = systemClock }: SqliteStoreOptions) {
    this.#database = database;
    this.#clock = clock;
    database.write(() => database.sql.exec(SCHEMA));
    this.#statements = prepareStatements(database);
  }

  async get<T extends object>(key: DocumentKey): Promise<StoredDocument<T> | undefined> {
    checkKey(key);
    return translated(() => this.#read<T>(key));
  }

  async create<T extends object>(key: DocumentKey, data: T): Promise<StoredDocument<T>> {
    const json = encodeDocument(key, data);
    return this.#database.write(() => {
      if (this.#read(key)) throw new StoreError('already_exists', `${keyText(key)} exists already`);
      return this.#put<T>(key, json);
    });
  }

  async update<T extends object>(key: DocumentKey, data: T, version: string): Promise<StoredDocument<T>> {
    const json = encodeDocument(key, data);
    return this.#database.write(() => {
      if (this.#read(key)?.version !== version) throw new StoreError('conflict', `${keyText(key)} has changed`);
      return this.#put<T>(key, json);
    });
  }

  async delete(key: DocumentKey, version?: string): Promise<void> {
    checkKey(key);
    this.#database.write(() => {
      const present = this.#read(key);
      if (present !== undefined && version !== undefined && present.version !== version) {
        throw new StoreError('conflict', `${keyText(key)} has changed`);
      }
      this.#remove(key);
    });
  }

  async query<T extends object>(collection: string, query: Query): Promise<Page<T>> {
    const checked = checkQuery(collection, query);
    const { text, values } = compileQuery(collection, checked, decodeCursor(collection, query));
    const rows = translated(() => this.#database.sql.prepare(text).all(...values));
    return toPage(
      collection,
      query,
      rows.map((row) => toDocument<T>(collection, row)),
    );
  }

  async transact<R>(
    keys: readonly DocumentKey[],
    decide: (documents: readonly (StoredDocument<object> | undefined)[]) => Decision<R>,
  ): Promise<R> {
    checkKeys(keys);
    return this.#database.write(() => {
      const { writes, result } = decide(keys.map((key) => this.#read<object>(key)));
      checkWrites(keys, writes);
      for (const write of writes) this.#apply(write);
      return result;
    });
  }

  changes<T extends object>(collection: string, signal: AbortSignal): AsyncIterable<Change<T>> {
    checkCollection(collection);
    // Taken now, not when the consumer first asks: what is written between the two belongs to the feed.
    const position = translated(() => lastSequence(this.#database));
    return feed<T>(this.#database, collection, position, AbortSignal.any([signal, this.#closed.signal]));
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  #read<T>(key: DocumentKey): StoredDocument<T> | undefined {
    const row = this.#statements.get.get(key.collection, key.id);
    return row && toDocument<T>(key.collection, row);
  }

  #apply(write: Write): void {
    if (write.type === 'delete') {
      this.#remove(write.key);
      return;
    }
    const json = encodeDocument(write.key, write.data);
    if (write.type === 'create' && this.#read(write.key)) throw new StoreError('already_exists', `${keyText(write.key)} exists already`);
    this.#put(write.key, json);
  }

  #put<T>(key: DocumentKey, json: string): StoredDocument<T> {
    const row = { id: key.id, data: json, version: this.#nextVersion(), updated_at: this.#clock.now().getTime() };
    this.#statements.put.run(key.collection, key.id, json, row.version, row.updated_at);
    this.#statements.forget.run(key.collection, key.id);
    return toDocument<T>(key.collection, row);
  }

  #remove(key: DocumentKey): void {
    if (this.#statements.remove.run(key.collection, key.id).changes === 0) return;
    const now = this.#clock.now().getTime();
    this.#statements.remember.run(key.collection, key.id, this.#nextVersion(), now);
    this.#statements.forgetOld.run(now - DELETIONS_KEPT_MS);
  }

  #nextVersion(): number {
    const row = this.#statements.next.get();
    if (row === undefined) throw new Error('The sequence of the database is gone');
    return Number(row['value']);
  }
}

/** The document store in this database. Throws `StoreError` `unavailable`. */
export function openSqlite(options: SqliteStoreOptions): DocumentStore {
  return new SqliteStore(options);
}
