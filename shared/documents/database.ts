/**
 * The one SQLite file of a laptop: documents and tasks live in it side by side.
 *
 * @module
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from './port.ts';

const BUSY_TIMEOUT_MS = 5_000;

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

export interface DatabaseOptions {
  /** How long a write waits for a writer of another process, in milliseconds; 5 s where absent. The whole process waits with it. */
  readonly busyTimeoutMs?: number;
}

export interface Database {
  readonly sql: DatabaseSync;
  /** Runs the work in one transaction: all of it is on the file when the call returns, or nothing. Not to be nested. Throws `StoreError` `unavailable`. */
  write<R>(work: () => R): R;
  /** Calls the listener after each transaction of this process, until the returned function is called. */
  onWrite(listener: () => void): () => void;
  /** May be called twice. */
  close(): void;
}

/**
 * Opens the file, or makes it: mode 0600, in a folder of mode 0700 where that has to be made, too. Several processes may have it open.
 *
 * WAL with `synchronous = NORMAL` gives every committed transaction to the kernel before the call returns, so `kill -9` loses nothing; a
 * power cut may lose the last moments, but never tears a transaction (https://www.sqlite.org/pragma.html#pragma_synchronous).
 *
 * Throws `StoreError` `unavailable` where the file cannot be opened.
 */
export function openDatabase(file: string, { busyTimeoutMs = BUSY_TIMEOUT_MS }: DatabaseOptions = {}): Database {
  const sql = translated(() => open(file, busyTimeoutMs));
  const listeners = new Set<() => void>();
  return {
    sql,
    write: (work) => {
      const result = translated(() => transaction(sql, work));
      for (const listener of listeners) listener();
      return result;
    },
    onWrite: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      if (sql.isOpen) sql.close();
    },
  };
}

function open(file: string, timeout: number): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // SQLite gives its -wal and -shm files the mode of the main file, so that has to be right before it is opened.
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const sql = new DatabaseSync(file, { timeout });
  try {
    patiently(timeout, () => sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL'));
    return sql;
  } catch (error) {
    sql.close();
    throw error;
  }
}

/** The change to WAL does not wait for its lock as other statements do, and processes that start together all ask for it. */
function patiently(timeout: number, work: () => void): void {
  const end = Date.now() + timeout;
  for (;;) {
    try {
      work();
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function transaction<R>(sql: DatabaseSync, work: () => R): R {
  // IMMEDIATE takes the write lock at once: a read lock that has to be raised later fails without waiting where another process has written.
  sql.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    sql.exec('COMMIT');
    return result;
  } catch (error) {
    if (sql.isTransaction) sql.exec('ROLLBACK');
    throw error;
  }
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** Runs the work; an error of SQLite or of the file system becomes `unavailable`, everything else passes. */
export function translated<R>(work: () => R): R {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !('errcode' in error || 'syscall' in error)) throw error;
    throw new StoreError('unavailable', `The database file cannot be used: ${error.message}`, { cause: error });
  }
}
