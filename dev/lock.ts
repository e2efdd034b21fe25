/**
 * One process at a time per folder, by a lock that the system itself gives back when the process dies: Node has no flock, SQLite does.
 *
 * @module
 */
import { DatabaseSync } from 'node:sqlite';

/** Takes the lock and holds it until the returned function is called or the process ends; `undefined` where another process has it. */
export function takeLock(file: string): (() => void) | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch {
    database.close();
    return undefined;
  }
  return () => database.close();
}
