/**
 * Makes store and cluster agree, both ways: a plain full pass over everything of this installation. Safe at any time, any number at
 * once: each step reads again what it acts on, and is a compare-and-swap or idempotent.
 *
 * @module
 */
import type { V1Namespace, V1Pod } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import type { StoredDocument } from '../documents/port.ts';
import { isNotFound, translateKubernetesError } from '../kubernetes/errors.ts';
import { deleteNamespaceObject, releaseNamespace } from '../namespaces/release.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { annotations, labels } from '../pods/names.ts';
import { changeSession, readSession } from '../sessions/change.ts';
import { collections, namespaceKey } from '../sessions/collections.ts';
import { ensureProvisionTask } from '../sessions/create.ts';
import { ensureExpireTask } from '../sessions/delete.ts';
import { removePod, removeSecrets } from '../sessions/end.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { isOrphan, planNamespace, planSession, sessionIdOf, type SessionAction } from './plan.ts';

export interface SweepReport {
  /** How often each action was taken. */
  readonly actions: Readonly<Record<string, number>>;
  /** What could not be done this time; the next pass tries again. */
  readonly failures: number;
  readonly sessions: number;
  readonly pods: number;
  readonly duration_ms: number;
}

const PAGE = 200;
/** A pass has to end; what is left goes with the next. */
const LARGEST_PURGE_PAGES = 20;

class Tally {
  readonly actions: Record<string, number> = {};
  failures = 0;
  sessions = 0;
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Runs one action; what fails is logged and left to the next pass, and stops nothing else. */
  async run(action: string, fields: Readonly<Record<string, string>>, apply: () => Promise<unknown>): Promise<void> {
    try {
      await apply();
      this.actions[action] = (this.actions[action] ?? 0) + 1;
      this.#deps.metrics.count('berth_sweep_actions_total', { action });
      this.#deps.log.log('info', `sweep: ${action}`, { component: 'sweep', action, ...fields });
    } catch (error) {
      this.failures += 1;
      this.#deps.log.log('warn', `sweep: ${action} failed`, { component: 'sweep', action, ...fields, error });
    }
  }
}

/** Throws `AppError` `cluster_unavailable` where the cluster cannot be listed: then nothing is known and nothing is done. */
export async function sweep(deps: Deps): Promise<SweepReport> {
  const startedAt = performance.now();
  const tally = new Tally(deps);
  const { pods, namespaces } = await observe(deps);
  await sweepSessions(deps, pods, tally);
  await sweepPods(deps, pods, tally);
  await sweepNamespaces(deps, namespaces, tally);
  await purgeOld(deps, tally);
  const report = {
    actions: tally.actions,
    failures: tally.failures,
    sessions: tally.sessions,
    pods: pods.size,
    duration_ms: Math.round(performance.now() - startedAt),
  };
  deps.log.log('debug', 'sweep done', { component: 'sweep', action: 'sweep', ...report });
  return report;
}

interface Observed {
  /** By session id. */
  readonly pods: ReadonlyMap<string, V1Pod>;
  readonly namespaces: ReadonlyMap<string, V1Namespace>;
}

async function observe(deps: Deps): Promise<Observed> {
  const labelSelector = `${labels.installation}=${deps.installation}`;
  const pods = new Map<string, V1Pod>();
  const namespaces = new Map<string, V1Namespace>();
  try {
    const { core } = await deps.kubernetes();
    for await (const pod of everyItem((page) => core.listPodForAllNamespaces({ labelSelector, ...page }))) {
      pods.set(sessionIdOf(pod) ?? '', pod);
    }
    for await (const namespace of everyItem((page) => core.listNamespace({ labelSelector, ...page }))) {
      namespaces.set(namespace.metadata?.name ?? '', namespace);
    }
  } catch (error) {
    throw translateKubernetesError(error);
  }
  return { pods, namespaces };
}

interface List<T> {
  readonly items: readonly T[];
  readonly metadata?: { readonly _continue?: string };
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks; the last page continues with ''. */
async function* everyItem<T>(list: (page: { limit: number; _continue?: string }) => Promise<List<T>>): AsyncGenerator<T> {
  let next = '';
  do {
    const page = await list({ limit: PAGE, ...(next === '' ? {} : { _continue: next }) });
    yield* page.items;
    next = page.metadata?._continue ?? '';
  } while (next !== '');
}

/** Every document of a collection, a page at a time. */
async function* pages<T extends object>(deps: Deps, collection: string): AsyncGenerator<readonly StoredDocument<T>[]> {
  let cursor: string | undefined;
  do {
    const page = await deps.store.query<T>(collection, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    yield page.documents;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

async function sweepSessions(deps: Deps, pods: ReadonlyMap<string, V1Pod>, tally: Tally): Promise<void> {
  for await (const documents of pages<SessionDocument>(deps, collections.sessions)) {
    for (const { data: session } of documents) {
      tally.sessions += 1;
      const action = planSession(session, pods.get(session.id), deps.clock.now());
      if (action === undefined) continue;
      await tally.run(action.type, { session_id: session.id, user_id: session.user }, () => applySession(deps, session, action));
    }
  }
}

async function applySession(deps: Deps, session: SessionDocument, action: SessionAction): Promise<void> {
  switch (action.type) {
    case 'provision':
      return ensureProvisionTask(deps, session.id);
    case 'expire':
      return ensureExpireTask(deps, session.id);
    case 'forget_secrets':
      return removeSecrets(deps, session);
    case 'pod_lost':
    case 'crash_loop':
      return recordLoss(deps, session, action);
  }
}

/** The list of pods may be older than the document: what it lacks is looked for once more. */
async function recordLoss(
  deps: Deps,
  session: SessionDocument,
  action: Extract<SessionAction, { readonly type: 'pod_lost' | 'crash_loop' }>,
): Promise<void> {
  const { core } = await deps.kubernetes();
  try {
    const pod = await core.readNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
    if (planSession(session, pod, deps.clock.now()) === undefined) return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const { type, reason } = action;
  const event = type === 'pod_lost' ? { type, reason, podUid: session.pod_uid } : { type, reason };
  const result = await changeSession(deps, session.id, event);
  if (result?.session.status === 'failed') await removePod(deps, result.session);
}

async function sweepPods(deps: Deps, pods: ReadonlyMap<string, V1Pod>, tally: Tally): Promise<void> {
  const { core } = await deps.kubernetes();
  for (const [id, pod] of pods) {
    const stored = id === '' ? undefined : await readSession(deps, id);
    if (!isOrphan(pod, stored?.data)) continue;
    const { name = '', namespace = '', uid } = pod.metadata ?? {};
    await tally.run('remove_pod', { session_id: id, pod_name: name }, async () => {
      try {
        await core.deleteNamespacedPod({ name, namespace, ...(uid === undefined ? {} : { body: { preconditions: { uid } } }) });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    });
  }
}

async function sweepNamespaces(deps: Deps, namespaces: ReadonlyMap<string, V1Namespace>, tally: Tally): Promise<void> {
  const known = new Set<string>();
  for await (const documents of pages<NamespaceDocument>(deps, collections.namespaces)) {
    for (const stored of documents) {
      known.add(stored.data.k8s_namespace);
      const present = namespaces.get(stored.data.k8s_namespace);
      const action = planNamespace(stored.data, present, deps.config.namespaceLingerSeconds, deps.clock.now());
      if (action === undefined) continue;
      const fields = { namespace: stored.data.namespace };
      if (action.type === 'forget') await tally.run('forget_namespace', fields, () => deps.store.delete(stored.key, stored.version));
      else await tally.run('release_namespace', fields, () => releaseNamespace(deps, stored));
    }
  }
  await removeUnknownNamespaces(deps, namespaces, known, tally);
}

/** Namespaces with our label and no document: the document is always there first, so it was purged or lost. */
async function removeUnknownNamespaces(
  deps: Deps,
  namespaces: ReadonlyMap<string, V1Namespace>,
  known: ReadonlySet<string>,
  tally: Tally,
): Promise<void> {
  for (const [name, namespace] of namespaces) {
    if (known.has(name) || namespace.metadata?.deletionTimestamp !== undefined) continue;
    const given = namespace.metadata?.annotations?.[annotations.namespace];
    // Its document may have been written after the pages above were read.
    const document = given === undefined ? undefined : await deps.store.get<NamespaceDocument>(namespaceKey(given));
    if (document?.data.k8s_namespace === name) continue;
    const { uid } = namespace.metadata ?? {};
    await tally.run('remove_namespace', { namespace: name }, async () => deleteNamespaceObject(await deps.kubernetes(), name, uid));
  }
}

/** What has a time to go: ended sessions, idempotency records, keys that are no longer valid. */
async function purgeOld(deps: Deps, tally: Tally): Promise<void> {
  for (const collection of [collections.sessions, collections.idempotency, collections.keys]) {
    for (let page = 0; page < LARGEST_PURGE_PAGES; page += 1) {
      const { documents } = await deps.store.query<{ readonly purge_at: string | null }>(collection, {
        where: [{ path: 'purge_at', operator: '<=', value: deps.clock.now().toISOString() }],
        orderBy: { path: 'purge_at', direction: 'ascending' },
        limit: PAGE,
      });
      for (const stored of documents) {
        await tally.run(`purge_${collection}`, { document: stored.key.id }, () => deps.store.delete(stored.key, stored.version));
      }
      if (documents.length < PAGE) break;
    }
  }
}
