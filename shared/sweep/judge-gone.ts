/**
 * Objects that were seen to go: who needed them hears of it at once, not with the next comparison of everything.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { ensureNamespace, forgetObjects } from '../namespaces/ensure.ts';
import { isNeeded } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { labels } from '../pods/names.ts';
import { sessionKey, userKey, volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { VolumeDocument } from '../storage/model.ts';
import type { ObjectKind, Sighting } from './actions.ts';
import { MOST_KEYS, parts, readMany, readNamespaces } from './documents.ts';
import { judgeSessions } from './judge.ts';
import { markLost } from './reconcile-volumes.ts';
import { forEach, type Tally } from './tally.ts';

/** Answers those that are to be judged again. */
export async function judgeGone(deps: Deps, tally: Tally, gone: readonly Sighting[]): Promise<readonly Sighting[]> {
  const of = (kind: ObjectKind): readonly Sighting[] => gone.filter((sighting) => sighting.kind === kind);
  const idsOf = (kind: ObjectKind, label: string): string[] => [...new Set(of(kind).map((sighting) => sighting.labels[label] ?? ''))];
  const creating = new Set<string>();
  const failuresBefore = tally.failures;
  for (const page of parts(idsOf('pod', labels.session), MOST_KEYS)) {
    const sessions = await readMany<SessionDocument>(deps, page, sessionKey);
    for (const { id, status } of sessions.values()) if (status === 'creating') creating.add(id);
    await judgeSessions(deps, tally, sessions, []);
  }
  for (const page of parts(idsOf('claim', labels.volume), MOST_KEYS)) {
    await markLost(deps, tally, [...(await readMany<VolumeDocument>(deps, page, volumeKey)).values()]);
  }
  await mendNamespaces(
    deps,
    tally,
    of('policy').map(({ namespace }) => namespace),
  );
  // Nobody hears of it again: what could not be done about it has to be remembered.
  if (tally.failures > failuresBefore || tally.clusterIsAway) return gone;
  // Who makes the session may have seen its pod ready just before it went, and is about to say that it runs.
  return of('pod').filter((pod) => creating.has(pod.labels[labels.session] ?? ''));
}

/** Without its policies a namespace is open: to the pods of others, and to what pods must not reach. */
async function mendNamespaces(deps: Deps, tally: Tally, names: readonly string[]): Promise<void> {
  const namespaces = await readNamespaces(deps, names);
  await forEach(namespaces.values(), async (document) => {
    if (document.state !== 'active' || !isNeeded(document)) return;
    const { namespace, k8s_namespace } = document;
    await tally.run('mend_namespace', { namespace, k8s_namespace }, () => mendNamespace(deps, document));
  });
}

/** One namespace must not keep the pass for long. */
const PATIENCE_MS = 8000;

async function mendNamespace(deps: Deps, { namespace, owner }: NamespaceDocument): Promise<void> {
  const user = (await deps.store.get<UserDocument>(userKey(owner)))?.data;
  const entitlements = entitlementsOf(user?.type ?? deps.config.defaultUserType, user?.limits, deps.config.entitlements);
  await forgetObjects(deps, namespace);
  await ensureNamespace(deps, namespace, entitlements, AbortSignal.timeout(PATIENCE_MS));
}
