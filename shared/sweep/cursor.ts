/**
 * Where the last pass ended, so that the next one reads what has changed since, and nothing else.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError } from '../documents/port.ts';
import { labels } from '../pods/names.ts';
import { collections } from '../sessions/collections.ts';
import type { ObjectKind, Sighting } from './actions.ts';

/** `sweep/cursor`. */
export interface CursorDocument {
  /** Per kind, the version of the cluster up to which changes have been seen. A kind that the cluster does not serve has none. */
  readonly versions: Readonly<Partial<Record<ObjectKind, string>>>;
  /** When everything was compared last. */
  readonly full_at: string | null;
  /** The user after whom the next full pass goes on checking usage; null: from the first. */
  readonly users_cursor: string | null;
  readonly unsettled: readonly Sighting[];
}

export const noCursor: CursorDocument = { versions: {}, full_at: null, users_cursor: null, unsettled: [] };

/** Half of what a document may hold: a sighting has a few hundred bytes. */
const MOST_UNSETTLED = 1000;

const key = { collection: collections.sweep, id: 'cursor' };

interface StoredCursor {
  readonly cursor: CursorDocument;
  readonly version: string | undefined;
}

export async function readCursor(deps: Deps): Promise<StoredCursor> {
  const stored = await deps.store.get<CursorDocument>(key);
  return stored === undefined ? { cursor: noCursor, version: undefined } : { cursor: stored.data, version: stored.version };
}

/** Another pass that was faster has seen at least as much, so its cursor stays. */
export async function writeCursor(deps: Deps, before: StoredCursor, cursor: CursorDocument): Promise<void> {
  const tooMany = cursor.unsettled.length > MOST_UNSETTLED;
  // What is forgotten here is found again by comparing everything.
  const kept = {
    ...cursor,
    unsettled: cursor.unsettled.slice(0, MOST_UNSETTLED).map(withoutPod),
    full_at: tooMany ? null : cursor.full_at,
  };
  try {
    if (before.version === undefined) await deps.store.create(key, kept);
    else await deps.store.update(key, kept, before.version);
  } catch (error) {
    if (!(error instanceof StoreError) || (error.code !== 'conflict' && error.code !== 'already_exists')) throw error;
  }
}

const judgedBy: readonly string[] = [labels.session, labels.generation, labels.volume, labels.incarnation];

/** What a sighting is judged by: labels and annotations of others may be as long as they like. */
function withoutPod({ pod: _pod, ...sighting }: Sighting): Sighting {
  const kept = Object.entries(sighting.labels).filter(([name]) => judgedBy.includes(name));
  return { ...sighting, labels: Object.fromEntries(kept), annotations: {} };
}

/** Whether everything has to be compared: for the first time, or once more after so long. */
export function isFullDue({ full_at: last, versions }: CursorDocument, everySeconds: number, now: Date): boolean {
  if (last === null || versions.pod === undefined) return true;
  return now.getTime() - Date.parse(last) >= everySeconds * 1000;
}
