/**
 * Keeps count of what a pass does, says each thing in one log line, and in a dry run writes it down instead of doing it.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';

export interface PlannedAction {
  readonly action: string;
  readonly [field: string]: string;
}

/** What the answer to a dry run may hold at most. */
const MOST_PLANNED = 1000;
/** Actions at once: enough that a pass over a thousand ends in time, few enough for a small cluster. */
const AT_ONCE = 16;

/** One answer that does not come may be chance. */
const MOST_UNANSWERED = 3;

export type Fields = Readonly<Record<string, string>>;

export class Tally {
  readonly actions: Record<string, number> = {};
  readonly planned: PlannedAction[] = [];
  readonly dryRun: boolean;
  failures = 0;
  sessions = 0;
  objects = 0;
  readonly #deps: Deps;
  readonly #taken = new Set<string>();
  #unanswered = 0;

  constructor(deps: Deps, dryRun: boolean) {
    this.#deps = deps;
    this.dryRun = dryRun;
  }

  /** The cluster does not answer: what needs it is left to the next pass, instead of waiting for a time limit each time. */
  get clusterIsAway(): boolean {
    return this.#unanswered >= MOST_UNANSWERED;
  }

  /** Takes one action; what fails is logged and left to the next pass, and stops nothing else. `level`: of its log line. */
  async run(action: string, fields: Fields, apply: () => Promise<unknown>, level: 'info' | 'debug' = 'info'): Promise<void> {
    if (this.#isRepeated(action, fields)) return undefined;
    if (this.dryRun) return this.#plan(action, fields);
    try {
      await apply();
      this.#unanswered = 0;
      this.#count(action);
      this.#deps.log.log(level, `sweep: ${action}`, { component: 'sweep', action, ...fields });
    } catch (error) {
      this.fail(action, fields, error);
    }
  }

  /** Something that can only be told of. */
  report(action: string, fields: Fields): void {
    if (this.#isRepeated(action, fields)) return;
    if (this.dryRun) return this.#plan(action, fields);
    this.#count(action);
    this.#deps.log.log('warn', `sweep: ${action}`, { component: 'sweep', action, ...fields });
  }

  fail(action: string, fields: Fields, error: unknown): void {
    this.failures += 1;
    if (translateKubernetesError(error).code === 'cluster_unavailable') this.#unanswered += 1;
    this.#deps.log.log('warn', `sweep: ${action} failed`, { component: 'sweep', action, ...fields, error });
  }

  /** A pass may come to the same thing by several ways: by its time, by its pod, by comparing everything. */
  #isRepeated(action: string, fields: Fields): boolean {
    const key = JSON.stringify([action, fields]);
    if (this.#taken.has(key)) return true;
    this.#taken.add(key);
    return false;
  }

  #plan(action: string, fields: Fields): void {
    this.#count(action);
    if (this.planned.length < MOST_PLANNED) this.planned.push({ action, ...fields });
  }

  #count(action: string): void {
    this.actions[action] = (this.actions[action] ?? 0) + 1;
    if (!this.dryRun) this.#deps.metrics.count('berth_sweep_actions_total', { action });
  }
}

/** Some at a time, in order; rejects with the first rejection, after those that had begun. */
export async function forEach<T>(items: Iterable<T>, call: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await call(next.value);
  };
  const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
