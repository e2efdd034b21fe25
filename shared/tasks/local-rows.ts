/**
 * The rows of the local queue. A task waits (`due` in the future or past, no owner), is leased (an owner; `due` is when the lease ends),
 * or is done (`due` null): then the row is the tombstone that keeps its name blocked.
 *
 * @module
 */
import type { SQLOutputValue } from 'node:sqlite';
import type { Database } from '../documents/database.ts';
import { isGone } from './owner.ts';
import type { Task, TaskTarget } from './port.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tasks (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, target TEXT NOT NULL, payload TEXT NOT NULL,
    due INTEGER, attempt INTEGER NOT NULL DEFAULT 0, owner TEXT, done_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS tasks_by_due ON tasks (due) WHERE due IS NOT NULL;
  CREATE INDEX IF NOT EXISTS tasks_by_owner ON tasks (owner) WHERE owner IS NOT NULL;
  CREATE INDEX IF NOT EXISTS tasks_by_end ON tasks (done_at) WHERE done_at IS NOT NULL;
`;

/** One attempt at a task. `number` and `attempt` tell it from a later one, where this one outlived its lease. */
export interface Lease {
  readonly number: number;
  readonly name: string;
  readonly target: TaskTarget;
  readonly payload: Task['payload'];
  readonly attempt: number;
}

export interface Rows {
  /** False where the name is blocked. */
  insert(task: Task, body: string, due: number): boolean;
  withdraw(name: string, now: number): void;
  /** When the next task for one of these is due or its lease ends, in milliseconds since 1970. */
  nextDue(targets: readonly TaskTarget[]): number | undefined;
  lease(targets: readonly TaskTarget[], now: number, until: number, owner: string, limit: number): readonly Lease[];
  finish(lease: Lease, now: number): void;
  retry(lease: Lease, due: number): void;
  /** Makes the tasks of processes that are gone due at once. */
  releaseGone(now: number): void;
  purge(doneBefore: number): void;
  count(): number;
}

export function openRows(database: Database): Rows {
  const { sql, write } = database;
  write(() => sql.exec(SCHEMA));
  const insert = sql.prepare('INSERT INTO tasks (name, target, payload, due) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const withdraw = sql.prepare(
    `UPDATE tasks SET due = NULL, done_at = ?, payload = '{}' WHERE name = ? AND due IS NOT NULL AND owner IS NULL`,
  );
  const among = 'target IN (SELECT value FROM json_each(?))';
  const nextDue = sql.prepare(`SELECT due FROM tasks WHERE due IS NOT NULL AND ${among} ORDER BY due LIMIT 1`);
  const lease = sql.prepare(`UPDATE tasks SET due = ?, owner = ?, attempt = attempt + 1 WHERE number IN
    (SELECT number FROM tasks WHERE due <= ? AND ${among} ORDER BY due, number LIMIT ?) RETURNING number, name, target, payload, attempt`);
  const finish = sql.prepare(
    `UPDATE tasks SET due = NULL, owner = NULL, done_at = ?, payload = '{}' WHERE number = ? AND attempt = ? AND due IS NOT NULL`,
  );
  const retry = sql.prepare('UPDATE tasks SET due = ?, owner = NULL WHERE number = ? AND attempt = ? AND owner IS NOT NULL');
  const owners = sql.prepare('SELECT DISTINCT owner FROM tasks WHERE owner IS NOT NULL');
  const release = sql.prepare('UPDATE tasks SET due = ?, owner = NULL WHERE owner = ?');
  const purge = sql.prepare('DELETE FROM tasks WHERE done_at < ?');
  const count = sql.prepare('SELECT count(*) AS count FROM tasks WHERE due IS NOT NULL');
  return {
    insert: (task, body, due) => write(() => insert.run(task.name, task.target, body, due).changes === 1),
    withdraw: (name, now) => void write(() => withdraw.run(now, name)),
    nextDue: (targets) => optionalNumber(nextDue.get(JSON.stringify(targets))?.['due']),
    lease: (targets, now, until, owner, limit) =>
      write(() => lease.all(until, owner, now, JSON.stringify(targets), limit))
        .map(toLease)
        .toSorted((a, b) => a.number - b.number),
    finish: (done, now) => void write(() => finish.run(now, done.number, done.attempt)),
    retry: (failed, due) => void write(() => retry.run(due, failed.number, failed.attempt)),
    releaseGone: (now) =>
      write(() => {
        for (const row of owners.all()) if (isGone(String(row['owner']))) release.run(now, String(row['owner']));
      }),
    purge: (doneBefore) => void write(() => purge.run(doneBefore)),
    count: () => Number(count.get()?.['count'] ?? 0),
  };
}

function optionalNumber(value: SQLOutputValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function toLease(row: Record<string, SQLOutputValue>): Lease {
  return {
    number: Number(row['number']),
    name: String(row['name']),
    target: String(row['target']) as TaskTarget,
    payload: JSON.parse(String(row['payload'])) as Task['payload'],
    attempt: Number(row['attempt']),
  };
}
