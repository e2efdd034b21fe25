/**
 * What a user has: the sessions, volumes and snapshots in their name that have not ended.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { Condition } from '../documents/port.ts';
import { collections } from '../sessions/collections.ts';
import type { SessionDocument, SessionStatus } from '../sessions/model.ts';
import type { SnapshotDocument, SnapshotStatus, VolumeDocument, VolumeStatus } from '../storage/model.ts';

export interface Held {
  readonly sessions: readonly SessionDocument[];
  readonly volumes: readonly VolumeDocument[];
  readonly snapshots: readonly SnapshotDocument[];
}

const PAGE = 200;
/** Sessions that count against limits; the others only wait to be started again, or for their deadline. */
export const countingSessions = ['creating', 'running', 'stopping', 'terminating'] as const satisfies readonly SessionStatus[];
export const liveSessions = [...countingSessions, 'stopped', 'failed'] as const satisfies readonly SessionStatus[];
const liveVolumes = ['creating', 'ready', 'failed', 'deleting'] satisfies readonly VolumeStatus[];
const liveSnapshots = ['creating', 'ready', 'failed', 'deleting'] satisfies readonly SnapshotStatus[];

/** Page by page; sessions in another status and volumes that are gone are not read. */
export async function heldBy(deps: Pick<Deps, 'store'>, user: string, statuses: readonly SessionStatus[]): Promise<Held> {
  const of = (wanted: readonly string[]): readonly Condition[] => [
    { path: 'user', operator: '==', value: user },
    { path: 'status', operator: 'in', value: wanted },
  ];
  const [sessions, volumes, snapshots] = await Promise.all([
    readAll<SessionDocument>(deps, collections.sessions, of(statuses)),
    readAll<VolumeDocument>(deps, collections.volumes, of(liveVolumes)),
    readAll<SnapshotDocument>(deps, collections.snapshots, of(liveSnapshots)),
  ]);
  return { sessions, volumes, snapshots };
}

async function readAll<T extends object>(
  deps: Pick<Deps, 'store'>,
  collection: string,
  where: readonly Condition[],
): Promise<readonly T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await deps.store.query<T>(collection, { where, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...page.documents.map(({ data }) => data));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}
