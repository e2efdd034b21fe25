/**
 * The one store transaction of a create: idempotency key, namespace, admission, the session's document. Either all of it or nothing.
 *
 * @module
 */
import { createHmac } from 'node:crypto';
import type { Deps } from '../deps.ts';
import type { Decision, DocumentKey, StoredDocument, Write } from '../documents/port.ts';
import { admit, usageOf } from '../entitlements/admit.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { Entitlements, Hold, UserDocument, UserType } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { joinNamespace } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { holdId } from './change.ts';
import { idempotencyKey, namespaceKey, sessionKey, userKey } from './collections.ts';
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
  };
}

export interface AdmissionRequest {
  readonly session: SessionDocument;
  /** From an admin key: counts for this admission instead of the user's own type. */
  readonly userType: UserType | undefined;
  readonly idempotency: { readonly key: DocumentKey; readonly requestHmac: string } | undefined;
}

export interface Admitted {
  readonly session: SessionDocument;
  /** An earlier request with the same key has made it. */
  readonly replayed: boolean;
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

/** A user without a document has the default type and holds nothing. */
export function userOrDefault(stored: UserDocument | undefined, user: string, deps: Deps): UserDocument {
  return stored ?? { user, type: deps.config.defaultUserType, limits: {}, holds: {}, created_at: deps.clock.now().toISOString() };
}

/**
 * Admits the session and writes its document, or answers the one that the same idempotency key made before. Throws `AppError`:
 * `quota_exceeded`, `namespace_taken`, `idempotency_key_reused`.
 */
export async function admitSession(deps: Deps, request: AdmissionRequest): Promise<Admitted> {
  const { session, idempotency } = request;
  const keys = [userKey(session.user), namespaceKey(session.namespace), sessionKey(session.id)];
  if (idempotency !== undefined) keys.push(idempotency.key);
  const outcome = await deps.store.transact(keys, ([user, namespace, , record]) => decide(deps, request, user, namespace, record));
  if (outcome.replayOf === undefined) return { session: outcome.session, replayed: false };
  const earlier = await deps.store.get<SessionDocument>(sessionKey(outcome.replayOf));
  if (earlier === undefined) throw new AppError('not_found', 'The session that this Idempotency-Key made is gone. Use a new key.');
  return { session: earlier.data, replayed: true };
}

interface Outcome {
  readonly session: SessionDocument;
  readonly replayOf?: string;
}

function decide(
  deps: Deps,
  request: AdmissionRequest,
  userBefore: StoredDocument<object> | undefined,
  namespaceBefore: StoredDocument<object> | undefined,
  record: StoredDocument<object> | undefined,
): Decision<Outcome> {
  const { idempotency } = request;
  const now = deps.clock.now();
  const earlier = record?.data as IdempotencyDocument | undefined;
  if (earlier !== undefined && idempotency !== undefined && Date.parse(earlier.purge_at) > now.getTime()) {
    if (earlier.request_hmac !== idempotency.requestHmac) {
      throw new AppError('idempotency_key_reused', 'This Idempotency-Key was used with another body.');
    }
    return { writes: [], result: { session: request.session, replayOf: earlier.session_id } };
  }
  const user = userOrDefault(userBefore?.data as UserDocument | undefined, request.session.user, deps);
  const userType = request.userType ?? user.type;
  const entitlements = entitlementsOf(userType, user.limits);
  const session: SessionDocument = {
    ...request.session,
    user_type: userType,
    // Pods end even without us: no pod may live longer than its owner's longest session.
    spec: { ...request.session.spec, active_deadline_seconds: entitlements.ttl_minutes * 60 },
  };
  const hold = sessionHold(session.spec);
  refuseOverQuota(entitlements, user, session, hold);
  const joining = { namespace: session.namespace, k8sNamespace: session.k8s_namespace, user: session.user, sessionId: session.id };
  const namespace = joinNamespace(namespaceBefore?.data as NamespaceDocument | undefined, joining, now);
  const writes: Write[] = [
    { type: 'set', key: userKey(session.user), data: { ...user, holds: { ...user.holds, [holdId(session.id)]: hold } } },
    { type: 'set', key: namespaceKey(session.namespace), data: namespace },
    { type: 'create', key: sessionKey(session.id), data: session },
  ];
  if (idempotency !== undefined) {
    const data: IdempotencyDocument = {
      session_id: session.id,
      request_hmac: idempotency.requestHmac,
      created_at: now.toISOString(),
      purge_at: new Date(now.getTime() + IDEMPOTENCY_HOURS * 3_600_000).toISOString(),
    };
    writes.push({ type: 'set', key: idempotency.key, data });
  }
  return { writes, result: { session } };
}

function refuseOverQuota(entitlements: Entitlements, user: UserDocument, session: SessionDocument, hold: Hold): void {
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
