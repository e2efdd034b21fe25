/**
 * Whether store and cluster agree: what the tests of deaths and of load hold at their end.
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { Deps } from '../../shared/deps.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { isNeeded } from '../../shared/namespaces/membership.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import { labels } from '../../shared/pods/names.ts';
import { holdsResources } from '../../shared/sessions/lifecycle.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { volumeHoldId } from '../../shared/storage/hold.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';

async function all<T extends object>(deps: Pick<Deps, 'store'>, collection: string): Promise<readonly T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await deps.store.query<T>(collection, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...page.documents.map((document) => document.data));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

/** Every way in which they differ, as a sentence; empty where they agree. */
export async function disagreements(deps: Pick<Deps, 'store' | 'kubernetes' | 'installation'>): Promise<readonly string[]> {
  const { core } = await deps.kubernetes();
  const selector = `${labels.installation}=${deps.installation}`;
  const [sessions, users, namespaces, volumes, podList, namespaceList, secretList, claimList] = await Promise.all([
    all<SessionDocument>(deps, 'sessions'),
    all<UserDocument>(deps, 'users'),
    all<NamespaceDocument>(deps, 'namespaces'),
    all<VolumeDocument>(deps, 'volumes'),
    core.listPodForAllNamespaces({ labelSelector: selector }),
    core.listNamespace({ labelSelector: selector }),
    core.listSecretForAllNamespaces({ labelSelector: selector }),
    core.listPersistentVolumeClaimForAllNamespaces({ labelSelector: selector }),
  ]);
  const pods = new Map<string, V1Pod>(podList.items.map((pod) => [pod.metadata?.labels?.[labels.session] ?? '', pod]));
  const differences: string[] = [];
  for (const session of sessions) {
    if (!['running', 'stopped', 'failed', 'terminated'].includes(session.status))
      differences.push(`${session.id} is still ${session.status}`);
    if (session.status === 'failed' && session.reason === null) differences.push(`${session.id} failed without a reason`);
    const pod = pods.get(session.id);
    if (session.status === 'running' && pod?.metadata?.uid !== session.pod_uid) differences.push(`${session.id} runs without its pod`);
    if (session.status !== 'running' && pod !== undefined) differences.push(`${session.id} is ${session.status} and has a pod`);
  }
  const ended = new Set(sessions.filter((session) => session.status === 'terminated').map((session) => session.id));
  for (const secret of secretList.items) {
    const id = secret.metadata?.labels?.[labels.session] ?? '';
    if (ended.has(id)) differences.push(`the Secret of ${id} outlived it`);
  }
  const known = new Set(sessions.map((session) => session.id));
  for (const id of pods.keys()) if (!known.has(id)) differences.push(`the pod of ${id} belongs to no session`);
  const held = new Set(users.flatMap((user) => Object.keys(user.holds)));
  const live = volumes.filter((volume) => volume.status !== 'deleted');
  const holding = new Set([
    ...sessions.filter((session) => holdsResources(session.status)).map((session) => `session-${session.id}`),
    ...live.map((volume) => volumeHoldId(volume.id)),
  ]);
  for (const hold of held.symmetricDifference(holding)) differences.push(`${hold} is ${held.has(hold) ? 'held by nothing' : 'not held'}`);
  for (const volume of live) {
    // One that was never made waits with the failed session that asked for it.
    const isAwaited = Object.keys(volume.sessions).every((id) =>
      sessions.some((session) => session.id === id && session.status === 'failed'),
    );
    if (volume.status === 'deleting' || (volume.status === 'creating' && !(isAwaited && volume.due_at === null)))
      differences.push(`the volume ${volume.id} is still ${volume.status}`);
    for (const id of Object.keys(volume.sessions))
      if (ended.has(id)) differences.push(`the volume ${volume.id} waits for ${id}, which has ended`);
  }
  const claims = new Set(claimList.items.map((claim) => claim.metadata?.labels?.[labels.volume] ?? ''));
  const claimed = new Set(live.filter(({ type, status }) => type === 'persistent_volume' && status === 'ready').map((volume) => volume.id));
  for (const id of claims.symmetricDifference(claimed))
    differences.push(`the claim of ${id} is ${claims.has(id) ? 'nobody’s' : 'missing'}`);
  const needed = new Set(namespaces.filter((namespace) => isNeeded(namespace)).map(({ k8s_namespace: name }) => name));
  const present = new Set(namespaceList.items.map((namespace) => namespace.metadata?.name ?? ''));
  for (const session of sessions) {
    if (session.status === 'running' && !needed.has(session.k8s_namespace))
      differences.push(`${session.k8s_namespace} is not recorded as needed`);
  }
  for (const name of present)
    if (!namespaces.some((namespace) => namespace.k8s_namespace === name)) differences.push(`the namespace ${name} is unknown`);
  return differences;
}
