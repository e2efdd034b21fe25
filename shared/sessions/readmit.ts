/**
 * The one store transaction of a start. A session that rests holds nothing of its owner's limits, so it is admitted anew, together with
 * the write of its document; one that is rebuilt may need more than before.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { Decision, DocumentKey, StoredDocument, Write } from '../documents/port.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { UserDocument, UserType } from '../entitlements/model.ts';
import { refuseDeleted, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { joinNamespace } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { remade } from '../storage/lifecycle.ts';
import type { VolumeDocument } from '../storage/model.ts';
import { notMountable } from '../storage/mountable.ts';
import { sortDocuments, type RequestedDocuments } from '../storage/read-requested.ts';
import { refuseOverQuota, sessionHold } from './admission.ts';
import { holdId, invalidState, logChange, readSession, type ChangeResult } from './change.ts';
import { collections, namespaceKey, userKey, volumeKey } from './collections.ts';
import { holdsResources, nextState, type StartEvent } from './lifecycle.ts';
import type { LastChange, SessionDocument } from './model.ts';

export interface StartRequest {
  readonly by: LastChange;
  /** From an admin key: counts for this start instead of the owner's own type. */
  readonly userType?: UserType | undefined;
  /** Volumes whose claim was lost are made anew, empty. */
  readonly remakesVolumes?: boolean;
}

interface Documents {
  readonly session: StoredDocument<object> | undefined;
  readonly owner: StoredDocument<object> | undefined;
  readonly home: StoredDocument<object> | undefined;
  readonly volumes: readonly (StoredDocument<object> | undefined)[];
  readonly storage: RequestedDocuments;
}

interface Decided extends ChangeResult {
  readonly before: SessionDocument;
}

/**
 * Writes what the event makes of the session; `undefined` where there is none. Throws `AppError` where its state or its owner's limits do
 * not allow it: `invalid_state`, `quota_exceeded`, `namespace_taken`, `user_deleted`, `forbidden` for a volume that is not shared any more.
 */
export async function changeToStart(deps: Deps, id: string, event: StartEvent, request: StartRequest): Promise<ChangeResult | undefined> {
  const stored = await readSession(deps, id);
  if (stored === undefined) return undefined;
  const { user, namespace, spec } = stored.data;
  // The user's first: one user's transactions stand in line by it.
  const volumeKeys = spec.volumes.map((volume) => volumeKey(volume.volume_id));
  // A volume never changes its namespace, whose grants count for it.
  const mounted = await Promise.all(volumeKeys.map((key) => deps.store.get<VolumeDocument>(key)));
  const hosts = mounted.flatMap((volume) => (volume === undefined ? [] : [namespaceKey(volume.data.namespace)]));
  const keys = [userKey(user), stored.key, namespaceKey(namespace), ...volumeKeys, ...hosts];
  const { before, session, changed } = await deps.store.transact(distinct(keys), (documents) => {
    const [owner, present, home] = documents;
    const volumes = documents.filter((document) => document?.key.collection === collections.volumes);
    return decideStart(deps, { session: present, owner, home, volumes, storage: sortDocuments(documents) }, event, request);
  });
  if (changed) logChange(deps, before, session);
  return { session, changed };
}

/** One bucket may be mounted twice, at two prefixes. */
function distinct(keys: readonly DocumentKey[]): readonly DocumentKey[] {
  return [...new Map(keys.map((key) => [`${key.collection}/${key.id}`, key] as const)).values()];
}

function decideStart(deps: Deps, documents: Documents, event: StartEvent, request: StartRequest): Decision<Decided> {
  const { by, userType, remakesVolumes = false } = request;
  const { session: stored } = documents;
  if (stored === undefined) throw new AppError('not_found', 'The session is gone.');
  const before = stored.data as SessionDocument;
  const next = nextState(before, event, deps.clock.now(), by);
  if (next.kind === 'refused') throw invalidState(before, event.type);
  if (next.kind === 'unchanged') return { writes: [], result: { before, session: before, changed: false } };
  const rests = !holdsResources(before.status);
  if (rests) {
    refuseLostVolumes(before, documents.volumes);
    refuseWithdrawn(before, documents.storage);
  }
  const { session, writes } =
    rests || event.rebuild !== undefined
      ? admitAnew(deps, next.session, documents, rests ? (userType ?? 'own') : 'kept')
      : { session: next.session, writes: [] };
  const remakes = remakesVolumes ? documents.volumes.flatMap((volume) => remakeWrites(volume, deps.clock.now())) : [];
  return { writes: [{ type: 'set', key: stored.key, data: session }, ...writes, ...remakes], result: { before, session, changed: true } };
}

function remakeWrites(stored: StoredDocument<object> | undefined, now: Date): readonly Write[] {
  const data = stored === undefined ? undefined : remade(stored.data as VolumeDocument, now);
  return stored === undefined || data === undefined ? [] : [{ type: 'set', key: stored.key, data }];
}

/** The session as its owner's present limits allow it, its hold on them in the place of the one before, and itself in its namespace. */
function admitAnew(
  deps: Deps,
  asked: SessionDocument,
  { owner: ownerBefore, home: homeBefore }: Documents,
  admittedAs: UserType | 'own' | 'kept',
): { readonly session: SessionDocument; readonly writes: readonly Write[] } {
  const owner = userOrDefault(ownerBefore?.data as UserDocument | undefined, asked.user, deps);
  if (admittedAs !== 'kept') refuseDeleted(owner);
  // Restarted, it keeps what it was admitted as; started, it is what its owner is now.
  const userType = typeOf(admittedAs, owner, asked);
  const entitlements = entitlementsOf(userType, owner.limits, deps.config.entitlements);
  const session: SessionDocument = {
    ...asked,
    user_type: userType,
    spec: { ...asked.spec, active_deadline_seconds: entitlements.ttl_minutes * 60 },
  };
  const { [holdId(session.id)]: _before, ...others } = owner.holds;
  const hold = sessionHold(session.spec);
  refuseOverQuota(entitlements, { ...owner, holds: others }, session, hold);
  const present = homeBefore?.data as NamespaceDocument | undefined;
  const joining = {
    namespace: session.namespace,
    k8sNamespace: session.k8s_namespace,
    user: session.user,
    sessionId: session.id,
    // A stopped session is in its namespace still, whatever has been granted or taken back since.
    invited: present?.sessions[session.id] === true,
  };
  const home = joinNamespace(present, joining, deps.clock.now());
  return {
    session,
    writes: [
      { type: 'set', key: userKey(session.user), data: { ...owner, holds: { ...others, [holdId(session.id)]: hold } } },
      { type: 'set', key: namespaceKey(session.namespace), data: home },
    ],
  };
}

function typeOf(admittedAs: UserType | 'own' | 'kept', owner: UserDocument, session: SessionDocument): UserType {
  if (admittedAs === 'kept') return session.user_type;
  return admittedAs === 'own' ? owner.type : admittedAs;
}

function refuseLostVolumes(session: SessionDocument, volumes: Documents['volumes']): void {
  const lost = session.spec.volumes.filter(({ volume_id: id }) => {
    const volume = volumes.find((stored) => stored?.key.id === id)?.data as VolumeDocument | undefined;
    return volume === undefined || volume.status === 'deleting' || volume.status === 'deleted';
  });
  if (lost.length === 0) return;
  const paths = lost.map(({ mount_path: path }) => path).join(', ');
  throw new AppError('invalid_state', `The volume at ${paths} is gone; the session cannot start without it.`, {
    extensions: { session_status: session.status },
  });
}

/** What was shared when the session was created may not be shared any more. */
function refuseWithdrawn(session: SessionDocument, { volumes, namespaces }: RequestedDocuments): void {
  const [withdrawn, ...more] = notMountable(session, volumes, namespaces);
  if (withdrawn === undefined) return;
  const paths = [withdrawn, ...more].map(({ mount_path: path }) => path).join(', ');
  throw new AppError('forbidden', `The volume at ${paths} is not shared with "${session.user}" any more, or for reading only.`, {
    extensions: { session_status: session.status },
  });
}
