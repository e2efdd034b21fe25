/**
 * A task queue that does what Cloud Tasks may do: deliver late, twice and in another order, and again after a failure; and what it should
 * not: lose a task.
 */
import { checkName, encodeTask } from '../../shared/tasks/check.ts';
import { TaskError, type Task, type TaskQueue, type TaskTarget } from '../../shared/tasks/port.ts';
import type { FakeClock, Scheduled } from '../fakes/fake-clock.ts';
import type { Chance, Network } from '../fakes/fake-clock-network.ts';

export interface QueueFaults {
  readonly lost: number;
  readonly duplicate: number;
  readonly late: number;
  readonly unavailable: number;
}

export type QueueFault = 'lost task' | 'duplicate task' | 'late task' | 'queue unavailable';

export interface FaultyQueueOptions {
  readonly clock: FakeClock;
  readonly network: Network;
  readonly chance: Chance;
  readonly faults: () => QueueFaults;
  /** Rejects where the task has to come again. */
  readonly deliver: (target: TaskTarget, payload: Task['payload'], signal: AbortSignal) => Promise<void>;
  readonly onFault: (kind: QueueFault) => void;
}

export interface FaultyQueue extends TaskQueue {
  /** Forgets every task that waits. */
  loseAll(): void;
}

const LATEST_MS = 4 * 60_000;
/** https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks#Task.FIELDS.dispatch_deadline */
const DISPATCH_DEADLINE_MS = 600_000;
const LONGEST_BACKOFF_MS = 60_000;
const DEATH_NOTICED_MS = 2000;

export function createFaultyQueue(options: FaultyQueueOptions): FaultyQueue {
  const { clock, network, chance, onFault } = options;
  const names = new Set<string>();
  /** By name; a second delivery is nobody's to take back. */
  const waiting = new Map<string, Scheduled>();
  const again = new Set<Scheduled>();
  const isHit = (rate: number, kind: QueueFault): boolean => {
    if (chance() >= rate) return false;
    onFault(kind);
    return true;
  };

  const deliver = async (task: Task, attempt: number): Promise<void> => {
    const deadline = new AbortController();
    const timer = clock.after(DISPATCH_DEADLINE_MS, () => deadline.abort(new Error('The dispatch deadline has passed')));
    const retry = (afterMs: number): void => {
      timer.cancel();
      later(afterMs, () => void deliver(task, attempt + 1));
    };
    // A process that dies while it is at it answers nothing; its connection breaks.
    const stop = clock.onDeath(() => retry(DEATH_NOTICED_MS));
    try {
      await options.deliver(task.target, task.payload, deadline.signal);
      timer.cancel();
    } catch {
      retry(Math.min(LONGEST_BACKOFF_MS, 100 * 2 ** attempt));
    }
    stop();
  };

  const later = (afterMs: number, run: () => void): void => {
    const scheduled = clock.after(afterMs, () => {
      again.delete(scheduled);
      run();
    });
    again.add(scheduled);
  };

  const accept = (task: Task): 'enqueued' | 'duplicate' => {
    encodeTask(task, clock.now());
    if (names.has(task.name)) return 'duplicate';
    names.add(task.name);
    const { lost, duplicate, late } = options.faults();
    if (isHit(lost, 'lost task')) return 'enqueued';
    const wait = Math.max(0, (task.scheduleTime?.getTime() ?? 0) - clock.ms) + (isHit(late, 'late task') ? chance() * LATEST_MS : 0);
    const run = (): void => {
      waiting.delete(task.name);
      void deliver(task, 1);
    };
    waiting.set(task.name, clock.after(wait, run));
    if (isHit(duplicate, 'duplicate task')) later(wait + chance() * (chance() < 0.5 ? 100 : LATEST_MS), () => void deliver(task, 1));
    return 'enqueued';
  };

  const takeBack = (name: string): void => {
    waiting.get(name)?.cancel();
    waiting.delete(name);
  };

  return {
    enqueue: (task) => {
      const error = (): TaskError => new TaskError('unavailable', 'The queue does not answer (injected)');
      if (!isHit(options.faults().unavailable, 'queue unavailable')) return network.call(() => accept(task));
      return network.call(() => accept(task), chance() < 0.5 ? { after: error } : { before: error });
    },
    withdraw: (name) => {
      checkName(name);
      return network.call(() => takeBack(name));
    },
    loseAll: () => {
      for (const name of [...waiting.keys()]) takeBack(name);
      for (const scheduled of again) scheduled.cancel();
      again.clear();
    },
    close: () => Promise.resolve(),
  };
}
