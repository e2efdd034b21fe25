/**
 * What follows from a change of a session: roll-ups of its user, an entry in the audit, deliveries to webhooks, counters. Each exactly
 * once, however often and in whatever order changes arrive; deliveries at least once.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { auditPurgeTime } from '../audit/record.ts';
import type { AuditDocument } from '../audit/model.ts';
import type { Deps } from '../deps.ts';
import type { DocumentKey, Write } from '../documents/port.ts';
import { collections, userKey } from '../sessions/collections.ts';
import { enqueueDeliveries } from '../webhooks/enqueue.ts';
import type { HandledDocument, RollupCounts, RollupDocument, SessionChange, SessionState } from './model.ts';
import { addCounts, rollupDeltas } from './rollup.ts';

const DAY_MS = 86_400_000;
/** Eventarc tells an event again for a day at most. */
const HANDLED_DAYS = 7;
const ROLLUP_DAYS = 400;
/** Days in one transaction, beside the record that they are counted. */
const DAYS_AT_ONCE = 15;

/** `repeated`: it had been counted before. `nothing`: no one has to know of it. */
export type ChangeOutcome = 'handled' | 'repeated' | 'nothing';

/** Throws `StoreError` and `TaskError`; the change may then be told again, and nothing counts twice. */
export async function handleChange(deps: Deps, change: SessionChange): Promise<ChangeOutcome> {
  const { before, after } = change;
  const deltas = [...rollupDeltas(change)];
  const moved = after.status !== before?.status;
  if (!moved && deltas.length === 0) return 'nothing';
  const digest = createHash('sha256').update(change.id).digest('hex');
  const first = handledKey(digest, 0);
  if ((await deps.store.get(first)) !== undefined && deltas.length <= DAYS_AT_ONCE) return 'repeated';
  // Before the record: whoever dies between the two enqueues again, under names that are used already.
  if (moved) await enqueueDeliveries(deps, change.id, after, before?.status ?? null);
  let counted = false;
  for (let part = 0; part === 0 || part * DAYS_AT_ONCE < deltas.length; part += 1) {
    const days = deltas.slice(part * DAYS_AT_ONCE, (part + 1) * DAYS_AT_ONCE);
    const audit = part === 0 && moved ? auditOf(digest, after) : undefined;
    counted = (await count(deps, { key: handledKey(digest, part), change: change.id, user: after.user, days, audit })) || counted;
  }
  if (!counted) return 'repeated';
  if (moved) deps.metrics.count('berth_session_changes_total', { from: before?.status ?? 'none', to: after.status });
  return 'handled';
}

function handledKey(digest: string, part: number): DocumentKey {
  return { collection: collections.handled, id: part === 0 ? digest : `${digest}.${part}` };
}

function rollupKey(user: string, day: string): DocumentKey {
  return { collection: collections.rollups, id: `${userKey(user).id}-${day}` };
}

interface Part {
  readonly key: DocumentKey;
  readonly change: string;
  readonly user: string;
  readonly days: readonly (readonly [string, RollupCounts])[];
  readonly audit: AuditDocument | undefined;
}

/** Counts some days and records that they are counted, in one transaction; `false` where the record is there already. */
async function count(deps: Deps, { key, change, user, days, audit }: Part): Promise<boolean> {
  const now = deps.clock.now();
  const keys = [key, ...days.map(([day]) => rollupKey(user, day)), ...(audit === undefined ? [] : [auditKey(audit)])];
  return deps.store.transact(keys, ([handled, ...rollups]) => {
    if (handled !== undefined) return { writes: [], result: false };
    const record: HandledDocument = { change, at: now.toISOString(), purge_at: inDays(now, HANDLED_DAYS) };
    const writes: Write[] = [{ type: 'set', key, data: record }];
    days.forEach(([day, delta], index) => {
      const sum = addCounts(rollups[index]?.data as RollupDocument | undefined, delta);
      const data: RollupDocument = { ...sum, user, day, updated_at: now.toISOString(), purge_at: inDays(new Date(day), ROLLUP_DAYS) };
      writes.push({ type: 'set', key: rollupKey(user, day), data });
    });
    if (audit !== undefined) writes.push({ type: 'set', key: auditKey(audit), data: audit });
    return { writes, result: true };
  });
}

function inDays(from: Date, days: number): string {
  return new Date(from.getTime() + days * DAY_MS).toISOString();
}

function auditKey({ id }: AuditDocument): DocumentKey {
  return { collection: collections.audit, id };
}

/** The request wrote who it was into the document itself (`last_change`), with the change that it made. */
function auditOf(digest: string, { id, user, status, reason, generation, updated_at: at, last_change: by }: SessionState): AuditDocument {
  return {
    id: digest.slice(0, 26),
    at,
    by: by.by,
    key_id: by.key_id,
    request_id: by.request_id,
    user,
    action: `session.${status}`,
    target: `sessions/${id}`,
    outcome: 'done',
    detail: { generation, reason: reason === null ? null : reason.slice(0, 200).toWellFormed() },
    purge_at: auditPurgeTime(new Date(at)),
  };
}
