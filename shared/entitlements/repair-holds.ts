/**
 * What a user's holds have to be, from the sessions, volumes and snapshots that there are. Pure.
 *
 * @module
 */
import { sessionHold } from '../sessions/admission.ts';
import { holdId } from '../sessions/change.ts';
import { holdsResources } from '../sessions/lifecycle.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { snapshotHold, snapshotHoldId, volumeHold, volumeHoldId } from '../storage/hold.ts';
import type { SnapshotDocument, VolumeDocument } from '../storage/model.ts';
import { countedLimits, type Hold, type UserDocument } from './model.ts';

export interface Existing {
  /** All of the user's that hold something; others among them do no harm. */
  readonly sessions: readonly Pick<SessionDocument, 'id' | 'status' | 'spec'>[];
  readonly volumes: readonly Pick<VolumeDocument, 'id' | 'status' | 'type' | 'size_gb'>[];
  readonly snapshots: readonly Pick<SnapshotDocument, 'id' | 'status' | 'size_gb'>[];
}

/** Of what this page knows how to count; the holds of other things are kept as they are. */
const REPAIRED = /^(?:session|volume|snapshot)-/;

/** The holds as they have to be, or `undefined` where they are right. */
export function repairHolds(
  { holds }: Pick<UserDocument, 'holds'>,
  { sessions, volumes, snapshots }: Existing,
): UserDocument['holds'] | undefined {
  const right: Record<string, Hold> = Object.fromEntries([
    ...Object.entries(holds).filter(([id]) => !REPAIRED.test(id)),
    ...sessions.filter((session) => isCounted(session, holds)).map(({ id, spec }) => [holdId(id), sessionHold(spec)] as const),
    ...volumes.filter(({ status }) => status !== 'deleted').map((volume) => [volumeHoldId(volume.id), volumeHold(volume)] as const),
    ...snapshots
      .filter(({ status }) => status !== 'deleted')
      .map((snapshot) => [snapshotHoldId(snapshot.id), snapshotHold(snapshot)] as const),
  ]);
  const ids = new Set([...Object.keys(holds), ...Object.keys(right)]);
  return [...ids].some((id) => !sameHold(holds[id], right[id])) ? right : undefined;
}

/** A session that ends from rest had given its hold back already; one that ran keeps it until its pod is gone. */
function isCounted({ id, status }: Existing['sessions'][number], holds: UserDocument['holds']): boolean {
  return holdsResources(status) && (status !== 'terminating' || Object.hasOwn(holds, holdId(id)));
}

function sameHold(left: Hold | undefined, right: Hold | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return countedLimits.every((limit) => (left[limit] ?? 0) === (right[limit] ?? 0));
}
