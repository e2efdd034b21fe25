/**
 * One process at a time per folder, by a lock that the system itself gives back when the process dies: Node has no flock, SQLite does.
 *
 * @module
 */
import { DatabaseSync } from 'node:sqlite';

/** https://www.sqlite.org/rescode.html: the low byte of an extended code is the plain one. */
const SQLITE_BUSY = 5;

/**
 * Takes the lock and holds it until the returned function is called or the process ends; `undefined` where another process has it.
 * Throws an `Error` with the path where the file cannot be used at all.
 */
export function takeLock(file: string): (() => void) | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return () => database.close();
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === SQLITE_BUSY;
}
