/**
 * The one store transaction of a create: idempotency key, namespace, admission, the session's document. Either all of it or nothing.
 *
 * @module
 */
import { createHmac } from 'node:crypto';
import type { Deps } from '../deps.ts';
import type { Decision, DocumentKey, StoredDocument, Write } from '../documents/port.ts';
import { admit, usageOf } from '../entitlements/admit.ts';
import type { Entitlements, Hold, UserDocument, UserType } from '../entitlements/model.ts';
import { entitlementsFor, refuseDeleted, userOrDefault } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { joinNamespace, type Joining } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { admitVolumes } from '../storage/admit-volumes.ts';
import { sumOfHolds, volumeHoldId } from '../storage/hold.ts';
import type { SessionVolume } from '../storage/model.ts';
import { workspacePath } from '../pods/names.ts';
import { placeSession, sortDocuments, type RequestedDocuments } from '../storage/read-requested.ts';
import type { VolumeRequest } from '../storage/requests.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { aliasWrites, anchorsOf, decideAnchor, type AnchorDocument, type AnchorRequest } from './anchors.ts';
import { holdId } from './change.ts';
import { anchorKey, idempotencyKey, namespaceKey, sessionKey, userKey, volumeKey } from './collections.ts';
import type { SessionDocument, SessionSpec } from './model.ts';

/** `idempotency/{digest}`: which session a key made, and a keyed digest of the request, never the request. */
export interface IdempotencyDocument {
  readonly session_id: string;
  readonly request_hmac: string;
  readonly created_at: string;
  readonly purge_at: string;
}

const IDEMPOTENCY_HOURS = 24;
const GIB = 2 ** 30;

export function sessionHold(spec: SessionSpec): Hold {
  return {
    sessions: 1,
    cpu: parseQuantity(spec.resources.cpu_requests),
    memory_gb: parseQuantity(spec.resources.memory_requests) / GIB,
    ...(spec.gpu === undefined ? {} : { gpus: spec.gpu.count }),
  };
}

export interface AdmissionRequest {
  /** Its volumes come with admission. */
  readonly session: SessionDocument;
  readonly volumes?: readonly VolumeRequest[];
  /** From an admin key: counts for this admission instead of the user's own type. */
  readonly userType: UserType | undefined;
  readonly idempotency: { readonly key: DocumentKey; readonly requestHmac: string } | undefined;
  /** The project or conversation whose one session it is to be. */
  readonly anchor?: AnchorRequest;
}

export interface Admitted {
  readonly session: SessionDocument;
  /** An earlier request with the same key has made it. */
  readonly replayed: boolean;
  /** Nothing was admitted: the project or conversation has this session. */
  readonly anchorTakenBy?: string;
}

export function idempotencyOf(deps: Deps, scope: string, key: string | undefined, body: unknown): AdmissionRequest['idempotency'] {
  if (key === undefined) return undefined;
  const requestHmac = createHmac('sha256', deps.installationKey)
    .update(`berth-idempotency-v1\n${canonical(body)}`)
    .digest('hex');
  return { key: idempotencyKey(scope, key), requestHmac };
}

/** JSON with sorted keys: the order in which a client writes its fields does not make another request. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  });
}

/**
 * Admits the session and writes its document, or answers the one that the same idempotency key made before. Throws `AppError`:
 * `quota_exceeded`, `namespace_taken`, `idempotency_key_reused`, `buckets_unsupported`, and those of `admitVolumes`.
 */
export async function admitSession(deps: Deps, request: AdmissionRequest): Promise<Admitted> {
  const { idempotency, anchor } = request;
  refuseBuckets(deps, request.volumes ?? []);
  const { session, keys: volumeKeys } = await placeSession(deps, request.session, request.volumes ?? []);
  const keys = [userKey(session.user), namespaceKey(session.namespace), sessionKey(session.id)];
  if (idempotency !== undefined) keys.push(idempotency.key);
  keys.push(...volumeKeys);
  const anchors = anchor === undefined ? [] : [anchor, ...anchorsOf(session).filter(({ kind }) => kind !== anchor.kind)];
  keys.push(...anchors.map(anchorKey));
  const outcome = await deps.store.transact(keys, (documents) => {
    const [user, namespace, , ...others] = documents;
    const record = idempotency === undefined ? undefined : others[0];
    const placed: Placed = { request, session, user, namespace, record, documents: sortDocuments(documents) };
    if (anchor === undefined) return decide(deps, placed);
    const [before, ...aliasesBefore] = documents.slice(-anchors.length).map((stored) => stored?.data as AnchorDocument | undefined);
    const decided = decideAnchor(before, anchor, session);
    if (decided.kind === 'taken') return { writes: [], result: { session, anchorTakenBy: decided.sessionId } };
    const { writes, result } = decide(deps, placed);
    const aliases = anchors.slice(1).flatMap((alias, index) => aliasWrites(aliasesBefore[index], alias, session));
    return { writes: result.replayOf === undefined ? [...writes, decided.write, ...aliases] : writes, result };
  });
  if (outcome.anchorTakenBy !== undefined) return { session, replayed: false, anchorTakenBy: outcome.anchorTakenBy };
  if (outcome.replayOf === undefined) return { session: outcome.session, replayed: false };
  const earlier = await deps.store.get<SessionDocument>(sessionKey(outcome.replayOf));
  if (earlier === undefined) throw new AppError('not_found', 'The session that this Idempotency-Key made is gone. Use a new key.');
  return { session: earlier.data, replayed: true };
}

interface Outcome {
  readonly session: SessionDocument;
  readonly replayOf?: string;
  readonly anchorTakenBy?: string;
}

/** The request in its namespace, with what the transaction has read. */
interface Placed {
  readonly request: AdmissionRequest;
  readonly session: SessionDocument;
  readonly user: StoredDocument<object> | undefined;
  readonly namespace: StoredDocument<object> | undefined;
  readonly record: StoredDocument<object> | undefined;
  readonly documents: RequestedDocuments;
}

function decide(deps: Deps, placed: Placed): Decision<Outcome> {
  const { request, user: userBefore, namespace: namespaceBefore } = placed;
  const now = deps.clock.now();
  const replayOf = earlierSession(placed, now);
  if (replayOf !== undefined) return { writes: [], result: { session: placed.session, replayOf } };
  const user = userOrDefault(userBefore?.data as UserDocument | undefined, placed.session.user, deps);
  const userType = request.userType ?? user.type;
  const entitlements = entitlementsFor(deps, { ...user, type: userType });
  const admitted = volumesOf(deps, placed, entitlements, now);
  const session: SessionDocument = {
    ...placed.session,
    user_type: userType,
    warnings: [...placed.session.warnings, ...admitted.warnings],
    spec: {
      ...placed.session.spec,
      ...workspaceSize(admitted.mounts),
      volumes: admitted.mounts,
      // Pods end even without us: no pod may live longer than its owner's longest session.
      active_deadline_seconds: entitlements.ttl_minutes * 60,
    },
  };
  const holds = { [holdId(session.id)]: sessionHold(session.spec), ...Object.fromEntries(admitted.holds) };
  refuseOverQuota(entitlements, user, session, sumOfHolds(Object.values(holds)));
  const joining: Joining = {
    namespace: session.namespace,
    k8sNamespace: session.k8s_namespace,
    user: session.user,
    sessionId: session.id,
    volumeIds: admitted.created,
    // It was put there for the sake of a volume that it may mount.
    invited: session.namespace !== request.session.namespace,
  };
  const namespace = joinNamespace(namespaceBefore?.data as NamespaceDocument | undefined, joining, now);
  const writes: Write[] = [
    { type: 'set', key: userKey(session.user), data: { ...user, holds: { ...user.holds, ...holds } } },
    { type: 'set', key: namespaceKey(session.namespace), data: namespace },
    { type: 'create', key: sessionKey(session.id), data: session },
    ...admitted.documents.map((data): Write => ({ type: 'set', key: volumeKey(data.id), data })),
    ...idempotencyRecord(request, session.id, now),
  ];
  return { writes, result: { session } };
}

/** The session that the same key has made. Throws `AppError` `idempotency_key_reused`. */
function earlierSession({ request: { idempotency }, record }: Placed, now: Date): string | undefined {
  const earlier = record?.data as IdempotencyDocument | undefined;
  if (earlier === undefined || idempotency === undefined || Date.parse(earlier.purge_at) <= now.getTime()) return undefined;
  if (earlier.request_hmac === idempotency.requestHmac) return earlier.session_id;
  throw new AppError('idempotency_key_reused', 'This Idempotency-Key was used with another body.');
}

function idempotencyRecord({ idempotency }: AdmissionRequest, sessionId: string, now: Date): readonly Write[] {
  if (idempotency === undefined) return [];
  const data: IdempotencyDocument = {
    session_id: sessionId,
    request_hmac: idempotency.requestHmac,
    created_at: now.toISOString(),
    purge_at: new Date(now.getTime() + IDEMPOTENCY_HOURS * 3_600_000).toISOString(),
  };
  return [{ type: 'set', key: idempotency.key, data }];
}

function volumesOf(deps: Deps, { request, session, documents }: Placed, entitlements: Entitlements, now: Date) {
  const admitted = admitVolumes({
    session,
    askedNamespace: request.session.namespace,
    requests: request.volumes ?? [],
    ...documents,
    entitlements,
    installation: deps.installation,
    namespacePrefix: deps.config.namespacePrefix,
    now,
  });
  const holds = [...admitted.holds].map(([id, hold]) => [volumeHoldId(id), hold] as const);
  return { ...admitted, holds };
}

/** A volume that was there already may have another size than was asked for. */
function workspaceSize(mounts: readonly SessionVolume[]): Partial<SessionSpec> {
  const mounted = mounts.find(({ mount_path: path }) => path === workspacePath);
  return mounted === undefined ? {} : { workspace_gb: mounted.size_gb, storage_type: mounted.type };
}

/** Throws `AppError` `buckets_unsupported` before anything is read. */
function refuseBuckets({ buckets }: Deps, requests: readonly VolumeRequest[]): void {
  const wanted = requests.find(({ type }) => type === 'gcs_fuse');
  if (wanted === undefined || buckets !== undefined) return;
  throw new AppError('buckets_unsupported', 'No place for buckets is configured here.', {
    errors: [{ path: wanted.fields.bucket_name, message: 'leave it out' }],
  });
}

/** Throws `AppError` `quota_exceeded` naming the limit, `user_deleted`. */
export function refuseOverQuota(entitlements: Entitlements, user: UserDocument, session: SessionDocument, hold: Hold): void {
  refuseDeleted(user);
  const admission = admit(entitlements, usageOf(user.holds), { hold, ttlMinutes: session.ttl_minutes });
  if (admission.admitted) return;
  const { limit, allowed, used, requested } = admission;
  const detail =
    limit === 'ttl_minutes'
      ? `A session of user "${session.user}" (${session.user_type}) may last at most ${allowed} minutes; ${requested} were asked for.`
      : `The limit "${limit}" of user "${session.user}" (${session.user_type}) is ${allowed}: ${used} used, ${requested} more asked for.`;
  throw new AppError('quota_exceeded', detail, {
    extensions: { limit, allowed, used, requested },
    ...(limit === 'ttl_minutes' ? { errors: [{ path: 'ttl_minutes', message: `at most ${allowed}` }] } : {}),
  });
}
