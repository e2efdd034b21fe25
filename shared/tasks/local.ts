/**
 * The task queue of a laptop: rows in the same SQLite file as the documents, delivered by this process.
 *
 * @module
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../documents/database.ts';
import { StoreError } from '../documents/port.ts';
import type { Logger } from '../observability/logger.ts';
import { backoffMs, defaultRetryPolicy, type RetryPolicy } from './backoff.ts';
import { checkName, encodeTask } from './check.ts';
import { type Lease, openRows, type Rows } from './local-rows.ts';
import { thisOwner } from './owner.ts';
import { type Task, TaskError, type TaskQueue, type TaskTarget, taskTargets } from './port.ts';

export interface Delivery {
  readonly name: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborted when the dispatch deadline has passed, and when the queue closes and has waited long enough. */
  readonly signal: AbortSignal;
}

/** Carries a task out, as the `tasks` unit would for the request; answers with the HTTP status. A rejection counts as a failure. */
export type Deliver = (target: TaskTarget, payload: Task['payload'], delivery: Delivery) => Promise<number>;

export interface LocalQueueOptions {
  /** Stays open when the queue closes. */
  readonly database: Database;
  readonly deliver: Deliver;
  readonly clock: Clock;
  readonly log?: Logger;
  readonly retry?: RetryPolicy;
  /** Deliveries at once, of those without slots of their own; 20 where absent. */
  readonly concurrency?: number;
  /** Deliveries at once of these targets, beside the others: as if they had a queue each. */
  readonly ownSlots?: Readonly<Partial<Record<TaskTarget, number>>>;
  /** When a delivery counts as failed and its task comes again; Cloud Tasks' 10 minutes where absent. */
  readonly dispatchDeadlineMs?: number;
  /** How long the name of a task that is done stays blocked; 24 h where absent, as Cloud Tasks may do it. */
  readonly tombstoneMs?: number;
  /** How long `close` waits for running deliveries; 5 s where absent. */
  readonly closeTimeoutMs?: number;
}

export interface LocalQueue extends TaskQueue {
  /** Tasks that are not done. */
  pending(): number;
}

/** How soon tasks of other processes on the same file are noticed. */
const POLL_MS = 1_000;
const PURGE_EVERY_MS = 60_000;
/** A lease outlives the dispatch deadline a little: this process is to end its delivery before anybody begins the next. */
const LEASE_GRACE_MS = 5_000;

/** What is delivered at once, and of what. */
interface Lane {
  readonly targets: readonly TaskTarget[];
  readonly slots: number;
  readonly running: Set<Promise<void>>;
}

function lanesOf({ concurrency, ownSlots }: Required<Pick<LocalQueueOptions, 'concurrency' | 'ownSlots'>>): readonly Lane[] {
  const lane = (targets: readonly TaskTarget[], slots: number): Lane => ({ targets, slots, running: new Set() });
  const shared = taskTargets.filter((target) => ownSlots[target] === undefined);
  return [
    lane(shared, concurrency),
    ...taskTargets.flatMap((target) => (ownSlots[target] === undefined ? [] : [lane([target], ownSlots[target])])),
  ];
}

class SqliteQueue implements LocalQueue {
  readonly #options: Required<Omit<LocalQueueOptions, 'log' | 'database'>>;
  readonly #log: Logger | undefined;
  readonly #rows: Rows;
  readonly #lanes: readonly Lane[];
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #purgedAt = 0;

  constructor({ database, log, ...options }: LocalQueueOptions) {
    this.#log = log;
    this.#options = {
      retry: defaultRetryPolicy,
      concurrency: 20,
      ownSlots: {},
      dispatchDeadlineMs: 600_000,
      tombstoneMs: 24 * 3_600_000,
      closeTimeoutMs: 5_000,
      ...options,
    };
    this.#lanes = lanesOf(this.#options);
    this.#rows = openRows(database);
    this.#rows.releaseGone(this.#now());
    this.#purge();
    this.#wakeIn(0);
  }

  async enqueue(task: Task): Promise<'enqueued' | 'duplicate'> {
    const now = this.#now();
    const body = encodeTask(task, new Date(now));
    const inserted = translated(() => this.#rows.insert(task, body, task.scheduleTime?.getTime() ?? now));
    this.#wakeIn(0);
    return inserted ? 'enqueued' : 'duplicate';
  }

  async withdraw(name: string): Promise<void> {
    checkName(name);
    translated(() => this.#rows.withdraw(name, this.#now()));
  }

  pending(): number {
    return translated(() => this.#rows.count());
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const bound = setTimeout(() => this.#abort.abort(), this.#options.closeTimeoutMs);
    await Promise.all(this.#lanes.flatMap(({ running }) => [...running]));
    clearTimeout(bound);
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }

  #wakeIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.#tick(), milliseconds);
  }

  /** Delivers what is due and sleeps until the next task is, at most until the next look for tasks of other processes. */
  #tick(): void {
    try {
      for (const lane of this.#lanes) this.#start(lane);
      this.#purge();
      const open = this.#lanes.filter(({ running, slots }) => running.size < slots);
      const due = open.length === 0 ? undefined : this.#rows.nextDue(open.flatMap(({ targets }) => targets));
      this.#wakeIn(due === undefined ? POLL_MS : Math.min(POLL_MS, Math.max(0, due - this.#now())));
    } catch (error) {
      this.#log?.log('warn', 'The local task queue cannot use its file and tries again', { component: 'tasks', error });
      this.#wakeIn(POLL_MS);
    }
  }

  #start({ targets, slots, running }: Lane): void {
    const now = this.#now();
    const free = slots - running.size;
    const due = free <= 0 ? undefined : this.#rows.nextDue(targets);
    if (due === undefined || due > now) return;
    const until = now + this.#options.dispatchDeadlineMs + LEASE_GRACE_MS;
    for (const lease of this.#rows.lease(targets, now, until, thisOwner(), free)) {
      const run = this.#run(lease).finally(() => {
        running.delete(run);
        this.#wakeIn(0);
      });
      running.add(run);
    }
  }

  async #run(lease: Lease): Promise<void> {
    const succeeded = await this.#deliver(lease);
    try {
      if (succeeded) this.#rows.finish(lease, this.#now());
      else this.#rows.retry(lease, this.#now() + backoffMs(lease.attempt, this.#options.retry));
    } catch (error) {
      this.#log?.log('warn', 'The end of a task could not be noted; it will come again', { component: 'tasks', action: lease.name, error });
    }
  }

  async #deliver({ name, target, payload, attempt }: Lease): Promise<boolean> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(new Error('The dispatch deadline has passed')), this.#options.dispatchDeadlineMs);
    const signal = AbortSignal.any([this.#abort.signal, deadline.signal]);
    try {
      const status = await unlessAborted(this.#options.deliver(target, payload, { name, attempt, signal }), signal);
      if (status >= 200 && status < 300) return true;
      this.#log?.log('warn', `A task was answered with ${status} and comes again`, { component: 'tasks', action: name, attempt });
    } catch (error) {
      this.#log?.log('warn', 'A task failed and comes again', { component: 'tasks', action: name, attempt, error });
    } finally {
      clearTimeout(timer);
    }
    return false;
  }

  #purge(): void {
    const now = this.#now();
    if (now - this.#purgedAt < PURGE_EVERY_MS) return;
    this.#purgedAt = now;
    this.#rows.purge(now - this.#options.tombstoneMs);
  }
}

function unlessAborted<R>(work: Promise<R>, signal: AbortSignal): Promise<R> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

function translated<R>(work: () => R): R {
  try {
    return work();
  } catch (error) {
    if (error instanceof StoreError) throw new TaskError('unavailable', error.message, { cause: error });
    throw error;
  }
}

/** The queue in this database; it delivers until it is closed. Throws `StoreError` `unavailable` where the file cannot be used. */
export function openLocalQueue(options: LocalQueueOptions): LocalQueue {
  return new SqliteQueue(options);
}
