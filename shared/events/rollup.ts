/**
 * What a change of a session adds to the roll-ups of its user. Pure, and the same whatever arrived before: each delta follows from its
 * change's own before and after, and sums do not know an order.
 *
 * @module
 */
import { parseQuantity } from '../templates/quantities.ts';
import type { RollupCounts, SessionChange, SessionState } from './model.ts';

const DAY_MS = 86_400_000;

/** No session runs longer; what claims to is a broken document, and must not become a loop over centuries. */
const LONGEST_RUN_MS = 366 * DAY_MS;

const nothing: RollupCounts = {
  sessions_created: 0,
  sessions_started: 0,
  sessions_failed: 0,
  sessions_ended: 0,
  session_seconds: 0,
  cpu_seconds: 0,
};

/** By day, `2026-01-31`. Empty where the change counts for nothing. */
export type Deltas = ReadonlyMap<string, RollupCounts>;

export function rollupDeltas({ before, after }: SessionChange): Deltas {
  const deltas = new Map<string, RollupCounts>();
  const add = (at: string, counts: Partial<RollupCounts>): void => {
    const day = new Date(at).toISOString().slice(0, 10);
    deltas.set(day, addCounts(deltas.get(day), { ...nothing, ...counts }));
  };
  if (before === undefined) add(after.created_at, { sessions_created: 1 });
  if (after.started_at !== null && after.started_at !== before?.started_at) add(after.started_at, { sessions_started: 1 });
  if (entered('failed', before, after)) add(after.updated_at, { sessions_failed: 1 });
  if (entered('terminated', before, after)) add(after.terminated_at ?? after.updated_at, { sessions_ended: 1 });
  for (const run of completedRuns(before, after)) {
    for (const part of byDay(run)) {
      const seconds = (part.to - part.from) / 1000;
      add(new Date(part.from).toISOString(), { session_seconds: seconds, cpu_seconds: seconds * run.cores });
    }
  }
  return deltas;
}

/** Rounded to thousandths: sums of fractions then come out the same in every order. */
export function addCounts(sum: RollupCounts | undefined, delta: RollupCounts): RollupCounts {
  const total = (name: keyof RollupCounts): number => Math.round(((sum?.[name] ?? 0) + delta[name]) * 1000) / 1000;
  return {
    sessions_created: total('sessions_created'),
    sessions_started: total('sessions_started'),
    sessions_failed: total('sessions_failed'),
    sessions_ended: total('sessions_ended'),
    session_seconds: total('session_seconds'),
    cpu_seconds: total('cpu_seconds'),
  };
}

function entered(status: SessionState['status'], before: SessionState | undefined, after: SessionState): boolean {
  return after.status === status && before?.status !== status;
}

interface Run {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly cores: number;
}

/** The time of running that has ended with this change, if one has; what is still going on is counted when it ends. */
function completedRuns(before: SessionState | undefined, after: SessionState): readonly Run[] {
  if (before?.status !== 'running' || before.started_at === null) return [];
  if (after.status !== 'running') return [toRun(before, before.started_at, after.updated_at)];
  // The next run may begin with the same write.
  const next = after.started_at;
  return next === null || next === before.started_at ? [] : [toRun(before, before.started_at, next)];
}

function toRun(state: SessionState, from: string, to: string): Run {
  const start = Date.parse(from);
  const end = Math.min(Date.parse(to), start + LONGEST_RUN_MS);
  return { from: start, to: end, cores: parseQuantity(state.spec.resources.cpu_requests) };
}

function* byDay({ from, to }: Run): Generator<{ readonly from: number; readonly to: number }> {
  for (let start = from; start < to;) {
    const end = Math.min(to, (Math.floor(start / DAY_MS) + 1) * DAY_MS);
    yield { from: start, to: end };
    start = end;
  }
}
