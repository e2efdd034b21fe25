/**
 * What can be changed of a session that is there: its deadline, its idle timeout, its name and labels.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { entitlementsFor, refuseDeleted, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { invalidState, readSession } from './change.ts';
import { userKey } from './collections.ts';
import { bounds } from './create-request.ts';
import { withDue } from './due.ts';
import { enqueueExpire } from './expire-task.ts';
import type { HistoryEntry, LastChange, SessionDocument } from './model.ts';

export interface SessionUpdate {
  /** From now on, so it makes the session's life shorter as well as longer. */
  readonly ttl_minutes?: number;
  /** Null: the session is never stopped for being idle. */
  readonly idle_timeout_minutes?: number | null;
  /** Those that are named; null takes one away. */
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly name?: string | null;
}

const MINUTE_MS = 60_000;
const HISTORY_ENTRIES = 50;

/** One write of the document. Throws `AppError`: `not_found`, `invalid_state`, `quota_exceeded`, `user_deleted`, `validation_failed`. */
export async function updateSession(deps: Deps, id: string, update: SessionUpdate, by: LastChange): Promise<SessionDocument> {
  const stored = await readSession(deps, id);
  if (stored === undefined) throw new AppError('not_found', `There is no session "${id}".`);
  const updated = await deps.store.transact([userKey(stored.data.user), stored.key], ([holder, present]) => {
    if (present === undefined) throw new AppError('not_found', `There is no session "${id}".`);
    const before = present.data as SessionDocument;
    const owner = userOrDefault(holder?.data as UserDocument | undefined, before.user, deps);
    const now = deps.clock.now();
    if (update.ttl_minutes !== undefined && makesLonger(before, update.ttl_minutes, now)) refuseDeleted(owner);
    const session = applyUpdate(before, update, ttlLimits(deps, before, owner), now, by);
    return { writes: [{ type: 'set', key: present.key, data: session }], result: session };
  });
  // The task of the deadline before finds that it is too early, or too late.
  if (updated.due_at !== null) await enqueueExpire(deps, updated);
  return updated;
}

/** How long a session may last from now on, in minutes. */
export interface TtlLimits {
  /** By the type it was admitted as. */
  readonly admitted: number;
  /** By what its owner is now, if that is less: a user whose type was lowered keeps what runs, and gets no more of it. */
  readonly longer: number;
}

function ttlLimits(deps: Deps, { user_type }: SessionDocument, owner: UserDocument): TtlLimits {
  const { ttl_minutes: admitted } = entitlementsOf(user_type, owner.limits, deps.config.entitlements);
  return { admitted, longer: Math.min(admitted, entitlementsFor(deps, owner).ttl_minutes) };
}

function makesLonger({ expires_at }: SessionDocument, minutes: number, now: Date): boolean {
  return now.getTime() + minutes * MINUTE_MS > Date.parse(expires_at);
}

/** Pure. */
export function applyUpdate(
  session: SessionDocument,
  update: SessionUpdate,
  limits: TtlLimits,
  now: Date,
  by: LastChange,
): SessionDocument {
  if (session.status === 'terminating' || session.status === 'terminated') throw invalidState(session, 'update');
  const extended = update.ttl_minutes === undefined ? {} : extend(session, update.ttl_minutes, limits, now);
  return withDue({
    ...session,
    ...extended,
    ...(update.idle_timeout_minutes === undefined ? {} : { idle_timeout_minutes: update.idle_timeout_minutes }),
    ...(update.labels === undefined ? {} : { labels: mergeLabels(session.labels, update.labels) }),
    ...(update.name === undefined ? {} : { name: update.name }),
    updated_at: now.toISOString(),
    last_change: by,
  });
}

function extend(session: SessionDocument, minutes: number, limits: TtlLimits, now: Date): Partial<SessionDocument> {
  const limit = makesLonger(session, minutes, now) ? limits.longer : limits.admitted;
  if (minutes > limit) {
    throw tooLong(minutes, limit, `A session of user "${session.user}" may last at most ${limit} minutes from now`);
  }
  const expires = now.getTime() + minutes * MINUTE_MS;
  const podEnd = longestLifeOfPod(session);
  if (podEnd !== undefined && expires > podEnd) {
    const left = Math.max(0, Math.floor((podEnd - now.getTime()) / MINUTE_MS));
    throw tooLong(minutes, left, `The session's pod lasts ${left} minutes more at most; a restart gives the session a new one`);
  }
  const expires_at = new Date(expires).toISOString();
  const entry: HistoryEntry = { at: now.toISOString(), type: 'extended', message: `The deadline is now ${expires_at}` };
  return { ttl_minutes: minutes, expires_at, history: [...session.history, entry].slice(-HISTORY_ENTRIES) };
}

/** The kubelet ends the pod then, whoever asks for what; counted from when the pod was asked for, which is before it began. */
function longestLifeOfPod(session: SessionDocument): number | undefined {
  if (session.status !== 'creating' && session.status !== 'running') return undefined;
  const { start_deadline_seconds: start, active_deadline_seconds: active } = session.spec;
  return Date.parse(session.start_deadline) + (active - start) * 1000;
}

function tooLong(requested: number, allowed: number, detail: string): AppError {
  return new AppError('quota_exceeded', `${detail}; ${requested} were asked for.`, {
    extensions: { limit: 'ttl_minutes', allowed, used: 0, requested },
    errors: [{ path: 'ttl_minutes', message: `at most ${allowed}` }],
  });
}

function mergeLabels(before: SessionDocument['labels'], changes: Readonly<Record<string, string | null>>): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...before, ...changes })) if (value !== null) merged[name] = value;
  if (Object.keys(merged).length <= bounds.labels) return merged;
  throw new AppError('validation_failed', 'The session would have too many labels.', {
    errors: [{ path: 'labels', message: `at most ${bounds.labels} labels, with those that it has` }],
  });
}
