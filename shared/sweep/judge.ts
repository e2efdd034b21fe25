/**
 * Brings what was seen in the cluster together with its documents, plans, and acts.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { Sighting } from './actions.ts';
import { applyObject, applySession } from './apply.ts';
import { MOST_KEYS, parts, readStorePage } from './documents.ts';
import type { ClusterPage, StorePage } from './pages.ts';
import { planSweep } from './plan.ts';
import { forEach, type Tally } from './tally.ts';

/** Objects that are there. Answers those that are to be judged again. */
export async function judgeObjects(deps: Deps, tally: Tally, objects: readonly Sighting[]): Promise<readonly Sighting[]> {
  const unsettled: Sighting[] = [];
  for (const page of parts(objects, MOST_KEYS)) {
    tally.objects += page.length;
    const store = await readStorePage(deps, page);
    unsettled.push(...(await act(deps, tally, store, { objects: page, hasPodsOf: new Set() })));
  }
  return unsettled;
}

/** Sessions of which all pods that there are have been looked up. */
export async function judgeSessions(
  deps: Deps,
  tally: Tally,
  sessions: ReadonlyMap<string, SessionDocument>,
  pods: readonly Sighting[],
): Promise<void> {
  tally.sessions += sessions.size;
  const store: StorePage = { sessions, volumes: new Map(), snapshots: new Map(), namespaces: new Map() };
  await act(deps, tally, store, { objects: pods, hasPodsOf: new Set(sessions.keys()) });
}

async function act(deps: Deps, tally: Tally, store: StorePage, cluster: ClusterPage): Promise<readonly Sighting[]> {
  const rules = { graceMs: deps.config.orphanGraceSeconds * 1000 };
  const failuresBefore = tally.failures;
  const plan = planSweep(store, cluster, deps.clock.now(), rules);
  await forEach(plan.sessions, async (action) => {
    const session = store.sessions.get(action.id);
    if (session !== undefined) await applySession(deps, tally, session, action);
  });
  await forEach(plan.objects, (action) => applyObject(deps, tally, action));
  // Nobody hears of these changes again: what could not be done about them has to be remembered.
  return tally.failures > failuresBefore || tally.clusterIsAway ? cluster.objects : plan.unsettled;
}
