/**
 * The documents whose time has come. One query each, by the time itself, so what is not due is not read.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { StoredDocument } from '../documents/port.ts';
import { finishUser } from '../entitlements/end-user.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { releaseNamespace } from '../namespaces/release.ts';
import { readOwnNamespace } from '../namespaces/read.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { collections } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { finishVolume } from '../storage/finish.ts';
import type { SnapshotDocument, VolumeDocument } from '../storage/model.ts';
import { finishSnapshot } from '../storage/snapshots.ts';
import { applySession } from './apply.ts';
import { planNamespace } from './plan.ts';
import { planDue } from './plan-session.ts';
import { forEach, type Tally } from './tally.ts';

const PAGE = 200;
/** A pass has to end; what is left is still due in the next. */
const MOST_PAGES = 25;

/** Needs no cluster, but for the Secrets of what has ended: the rest is laid as tasks. */
export async function sweepDueSessions(deps: Deps, tally: Tally): Promise<void> {
  for await (const documents of duePages<SessionDocument>(deps, collections.sessions, 'due_at', deps.clock.now())) {
    tally.sessions += documents.length;
    await forEach(documents, async ({ data: session }) => {
      const action = planDue(session, deps.clock.now());
      if (action !== undefined) await applySession(deps, tally, session, action);
    });
  }
}

/** Volumes and snapshots of which something is under way. */
export async function sweepDueStorage(deps: Deps, tally: Tally): Promise<void> {
  for await (const documents of duePages<VolumeDocument>(deps, collections.volumes, 'due_at', deps.clock.now())) {
    await forEach(documents, async ({ data: { id, user, status } }) => {
      if (tally.clusterIsAway) return;
      await tally.run('finish_volume', { volume_id: id, user_id: user, status }, () => finishVolume(deps, id));
    });
  }
  for await (const documents of duePages<SnapshotDocument>(deps, collections.snapshots, 'due_at', deps.clock.now())) {
    await forEach(documents, async ({ data: { id, user, status } }) => {
      if (tally.clusterIsAway) return;
      await tally.run('finish_snapshot', { snapshot_id: id, user_id: user, status }, () => finishSnapshot(deps, id));
    });
  }
}

/** Users who were deleted, as long as something of them is left. Needs no cluster. */
export async function sweepDeletedUsers(deps: Deps, tally: Tally): Promise<void> {
  for await (const documents of duePages<UserDocument>(deps, collections.users, 'due_at', deps.clock.now())) {
    await forEach(documents, async (stored) => {
      await tally.run('end_user', { user_id: stored.data.user }, async () => void (await finishUser(deps, stored)));
    });
  }
}

/** Namespaces that nobody has needed for so long. */
export async function sweepEmptyNamespaces(deps: Deps, tally: Tally): Promise<void> {
  const { namespaceLingerSeconds } = deps.config;
  const before = new Date(deps.clock.now().getTime() - namespaceLingerSeconds * 1000);
  for await (const documents of duePages<NamespaceDocument>(deps, collections.namespaces, 'emptied_at', before)) {
    await forEach(documents, async (stored) => {
      if (!tally.clusterIsAway) await sweepNamespace(deps, tally, stored, namespaceLingerSeconds);
    });
  }
}

async function sweepNamespace(deps: Deps, tally: Tally, stored: StoredDocument<NamespaceDocument>, lingerSeconds: number): Promise<void> {
  const { data } = stored;
  const fields = { namespace: data.namespace, k8s_namespace: data.k8s_namespace };
  try {
    const present = await readOwnNamespace(await deps.kubernetes(), data.k8s_namespace, deps.installation);
    const action = planNamespace(data, present, lingerSeconds, deps.clock.now());
    if (action === undefined) return;
    if (action.type === 'namespace_stuck') {
      const why = present?.status?.conditions?.find(({ status }) => status === 'True')?.message ?? 'Kubernetes gives no reason';
      return tally.report(action.type, { ...fields, since: action.since, why });
    }
    const apply = (): Promise<void> =>
      action.type === 'forget_namespace' ? deps.store.delete(stored.key, stored.version) : releaseNamespace(deps, stored);
    await tally.run(action.type, fields, apply);
  } catch (error) {
    if (error instanceof AppError && error.code !== 'cluster_unavailable') throw error;
    tally.fail('look_at_namespace', fields, error);
  }
}

async function* duePages<T extends object>(
  deps: Deps,
  collection: string,
  path: string,
  until: Date,
): AsyncGenerator<readonly StoredDocument<T>[]> {
  const query = {
    where: [{ path, operator: '<=' as const, value: until.toISOString() }],
    orderBy: { path, direction: 'ascending' as const },
    limit: PAGE,
  };
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { documents, nextCursor } = await deps.store.query<T>(collection, { ...query, ...(cursor === undefined ? {} : { cursor }) });
    if (documents.length > 0) yield documents;
    if (nextCursor === undefined) return;
    cursor = nextCursor;
  }
}
