/**
 * Compares everything, both ways and a page at a time: each object with its document, and each document with its object. It runs
 * hourly, and when the cluster no longer knows where the last pass ended.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { StoredDocument } from '../documents/port.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { labels } from '../pods/names.ts';
import { collections } from '../sessions/collections.ts';
import type { SessionDocument, SessionStatus } from '../sessions/model.ts';
import { objectKinds, type ObjectKind, type Sighting } from './actions.ts';
import { applySession } from './apply.ts';
import type { CursorDocument } from './cursor.ts';
import { judgeObjects, judgeSessions } from './judge.ts';
import { everyObject } from './observe.ts';
import { planMend } from './plan-session.ts';
import { purgeOld } from './purge.ts';
import { reconcileVolumes } from './reconcile-volumes.ts';
import { repairUsers } from './repair-users.ts';
import { forEach, type Tally } from './tally.ts';

/** So many ids fit into a selector without making the request's address too long for any proxy. */
const SESSION_PAGE = 100;

const alive: readonly SessionStatus[] = ['creating', 'running', 'stopping', 'stopped', 'failed', 'terminating'];

/** Where the next pass goes on. Throws what Kubernetes throws; then it was not complete, and the next pass does it again. */
export async function reconcile(deps: Deps, tally: Tally, kubernetes: Kubernetes, before: CursorDocument): Promise<CursorDocument> {
  const startedAt = deps.clock.now();
  const versions: Partial<Record<ObjectKind, string>> = {};
  const unsettled: Sighting[] = [];
  for (const kind of objectKinds) {
    for await (const { sightings, version } of everyObject(deps, kubernetes, kind)) {
      versions[kind] ??= version;
      unsettled.push(...(await judgeObjects(deps, tally, sightings)));
    }
  }
  const failuresBefore = tally.failures;
  await reconcileSessions(deps, tally, kubernetes);
  await reconcileVolumes(deps, tally, kubernetes);
  // What could not be done about a document is found again by nothing else.
  const fullAt = tally.failures > failuresBefore || tally.clusterIsAway ? before.full_at : startedAt.toISOString();
  const usersCursor = await repairUsers(deps, tally, before.users_cursor);
  await purgeOld(deps, tally);
  return { versions, full_at: fullAt, users_cursor: usersCursor, unsettled };
}

async function reconcileSessions(deps: Deps, tally: Tally, kubernetes: Kubernetes): Promise<void> {
  for await (const documents of livingSessions(deps)) {
    const sessions = new Map(documents.map(({ key, data }) => [key.id, data]));
    await forEach(sessions.values(), async (session) => {
      const mend = planMend(session);
      if (mend !== undefined) await applySession(deps, tally, session, mend);
    });
    const running = [...sessions.values()].filter(({ status }) => status === 'running').map(({ id }) => id);
    const pods: Sighting[] = [];
    if (running.length > 0) {
      const selector = `${labels.session} in (${running.join(',')})`;
      for await (const { sightings } of everyObject(deps, kubernetes, 'pod', selector)) pods.push(...sightings);
    }
    await judgeSessions(deps, tally, sessions, pods);
  }
}

async function* livingSessions(deps: Deps): AsyncGenerator<readonly StoredDocument<SessionDocument>[]> {
  const query = { where: [{ path: 'status', operator: 'in' as const, value: alive }], limit: SESSION_PAGE };
  let cursor: string | undefined;
  do {
    const page = await deps.store.query<SessionDocument>(collections.sessions, { ...query, ...(cursor === undefined ? {} : { cursor }) });
    if (page.documents.length > 0) yield page.documents;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
