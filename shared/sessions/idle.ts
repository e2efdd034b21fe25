/**
 * Whether a session is idle. Calls of the API, bytes in a shell, running jobs and processor time above a floor all count as activity: a
 * session that computes is not idle, one that merely exists is.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { createHelperClient } from '../helper/client.ts';
import type { HelperStats } from '../helper/protocol.ts';
import { readActivity, writeActivity, type ActivityDocument, type CpuReading } from './activity.ts';
import { bySystem, changeSession, logChange } from './change.ts';
import { activityKey, sessionKey } from './collections.ts';
import { nextState } from './lifecycle.ts';
import type { SessionDocument } from './model.ts';
import { podTarget } from './session-helper.ts';

const MINUTE_MS = 60_000;
/** In cores, on average since the last look. An interpreter or a server that waits for somebody stays well below it. */
export const IDLE_CPU_CORES = 0.03;
/** What a pod computes to come up: the helper's arrival, an interpreter's start. */
const START_CPU_MS = 1000;
const ASK_HELPER_MS = 10_000;

export type IdleStats = Pick<HelperStats, 'cpu_ms' | 'executions' | 'jobs' | 'last_activity_at'>;

export type IdleDecision =
  | { readonly kind: 'idle' }
  /** When to look again, and what the next look compares with. */
  | { readonly kind: 'active'; readonly lookAt: Date; readonly cpu: CpuReading | null };

/**
 * `stats` are what the helper says: untrusted, and worth no more than the pod's own life up to its deadline; `undefined` where it cannot
 * be asked. Pure.
 */
export function decideIdle(
  session: SessionDocument,
  activity: Pick<ActivityDocument, 'at' | 'cpu'> | undefined,
  stats: IdleStats | undefined,
  now: Date,
): IdleDecision {
  const idleMs = (session.idle_timeout_minutes ?? 0) * MINUTE_MS;
  const startedAt = session.started_at ?? session.created_at;
  const cpu: CpuReading | null =
    stats === undefined ? (activity?.cpu ?? null) : { generation: session.generation, at: now.toISOString(), cpu_ms: stats.cpu_ms };
  const lastUsed = Math.min(
    now.getTime(),
    Math.max(...[startedAt, activity?.at, stats?.last_activity_at].flatMap((at) => (at === undefined ? [] : [Date.parse(at)]))),
  );
  const inLine = (from: number): IdleDecision => ({ kind: 'active', lookAt: new Date(from + idleMs), cpu });
  if (stats === undefined) {
    if (now.getTime() - lastUsed < idleMs) return inLine(lastUsed);
    // It may be computing: that is looked for until it has been out of reach for a whole further timeout.
    const unreachable = now.getTime() - lastUsed >= 2 * idleMs;
    return unreachable ? { kind: 'idle' } : { kind: 'active', lookAt: new Date(now.getTime() + Math.min(idleMs, MINUTE_MS)), cpu };
  }
  if (stats.jobs > 0 || stats.executions > 0 || coresUsed(session, activity?.cpu ?? null, stats, now) >= IDLE_CPU_CORES) {
    return inLine(now.getTime());
  }
  return now.getTime() - lastUsed < idleMs ? inLine(lastUsed) : { kind: 'idle' };
}

/** On average since the last look, or since the container's start where there was none of this pod. */
function coresUsed(session: SessionDocument, before: CpuReading | null, stats: IdleStats, now: Date): number {
  const comparable = before !== null && before.generation === session.generation && before.cpu_ms <= stats.cpu_ms;
  const since = Date.parse(comparable ? before.at : (session.started_at ?? session.created_at));
  const usedMs = stats.cpu_ms - (comparable ? before.cpu_ms : START_CPU_MS);
  return usedMs / Math.max(1000, now.getTime() - since);
}

export interface Looked {
  readonly session: SessionDocument;
  /** Absent: the session has no idle timeout, or is idle. */
  readonly lookAt?: Date;
}

/** For a running session: stops it where it is idle, by a change of its document alone; else says when to look again. */
export async function lookForActivity(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<Looked> {
  if (session.idle_timeout_minutes === null) return { session };
  const activity = await readActivity(deps, session.id);
  const stats = await askHelper(deps, session, signal);
  const now = deps.clock.now();
  const decided = decideIdle(session, activity, stats, now);
  if (decided.kind === 'idle') return stopIdle(deps, session, activity);
  await writeActivity(deps, session, (before) => ({ at: before?.at ?? session.started_at ?? session.created_at, cpu: decided.cpu }));
  // The document says when the sweep has to look; it is put off only when that time has come.
  const due = session.due_at !== null && Date.parse(session.due_at) <= decided.lookAt.getTime() && session.due_at < session.expires_at;
  const result = due ? await changeSession(deps, session.id, { type: 'active' }) : undefined;
  return { session: result?.session ?? session, lookAt: decided.lookAt };
}

/**
 * In one transaction with the note that the look was based on: a call notes itself before it does anything, so either the stop is refused
 * or the call finds the session stopping.
 */
async function stopIdle(deps: Deps, looked: SessionDocument, seen: ActivityDocument | undefined): Promise<Looked> {
  const { id, generation } = looked;
  const now = deps.clock.now();
  const { before, after, usedAt } = await deps.store.transact([sessionKey(id), activityKey(id)], ([stored, note]) => {
    const present = (stored?.data as SessionDocument | undefined) ?? looked;
    const at = (note?.data as ActivityDocument | undefined)?.at;
    const isUsed = at !== undefined && at !== seen?.at;
    const next = isUsed ? undefined : nextState(present, { type: 'stop', cause: 'idle', generation }, now, bySystem);
    const result = { before: present, after: present, usedAt: isUsed ? at : undefined };
    if (stored === undefined || next?.kind !== 'changed') return { writes: [], result };
    return { writes: [{ type: 'set', key: stored.key, data: next.session }], result: { ...result, after: next.session } };
  });
  logChange(deps, before, after);
  if (usedAt === undefined || after.idle_timeout_minutes === null) return { session: after };
  return { session: after, lookAt: new Date(Date.parse(usedAt) + after.idle_timeout_minutes * MINUTE_MS) };
}

async function askHelper(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<IdleStats | undefined> {
  if (session.pod_uid === null) return undefined;
  const target = podTarget(deps, session, session.pod_uid);
  using deadline = startDeadline(ASK_HELPER_MS, signal);
  try {
    return await createHelperClient((opening) => deps.helpers.channel(target, opening)).stats(deadline.signal);
  } catch (error) {
    deps.log.log('info', 'the helper could not be asked for activity', { component: 'sessions', session_id: session.id, error });
    return undefined;
  }
}
