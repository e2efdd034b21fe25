/**
 * Creating a session so that a death at any point leaves nothing half done (design §5).
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { StoreError, type DocumentKey } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { TaskError } from '../tasks/port.ts';
import { kubernetesNamespace, ownNamespace } from '../namespaces/names.ts';
import { podName } from '../pods/names.ts';
import { admitSession, idempotencyOf } from './admission.ts';
import { readSession } from './change.ts';
import type { CreateSessionRequest } from './create-request.ts';
import { deleteSession, enqueueExpire } from './delete.ts';
import type { LastChange, SessionDocument } from './model.ts';
import { creatingGraceMs, PREPARE_MS } from './patience.ts';
import { newHelper } from './session-helper.ts';
import { prepare, provision } from './provision.ts';
import { resolveSession, type ResolvedSession } from './resolve.ts';
import { provisionTaskName } from './task-names.ts';

export interface CreateOptions {
  readonly idempotencyKey?: string;
  /** How long to wait for the session to be ready; 0 answers at once. */
  readonly waitSeconds: number;
}

export interface Created {
  readonly session: SessionDocument;
  /** The Idempotency-Key was used before: this is the session of that request. */
  readonly replayed: boolean;
}

const TASK_MS = 9 * 60_000;

/** The user that the request acts for. Throws `AppError` `forbidden`, `validation_failed`. */
export function ownerOf(caller: Caller, user: string | undefined): string {
  if (caller.kind === 'user' && user !== undefined && user !== caller.user) {
    throw new AppError('forbidden', 'This key acts for its own user only.', { errors: [{ path: 'user', message: 'leave it out' }] });
  }
  const owner = user ?? caller.user;
  if (owner !== null) return owner;
  throw new AppError('validation_failed', 'The request has to say for which user it is.', {
    errors: [{ path: 'user', message: 'required with a service key' }],
  });
}

/**
 * Throws `AppError`: `validation_failed`, `unknown_template`, `not_implemented`, `forbidden`, `namespace_taken`, `quota_exceeded`,
 * `idempotency_key_reused`; `cluster_unavailable`, after which nothing is left of the session.
 */
export async function createSession(deps: Deps, caller: Caller, request: CreateSessionRequest, options: CreateOptions): Promise<Created> {
  const user = ownerOf(caller, request.user);
  const resolved = resolveSession(request);
  const session = newSession(deps, caller, user, request, resolved);
  const idempotency = idempotencyOf(deps, user, options.idempotencyKey, request);
  const userType = caller.kind === 'admin' ? request.user_type : undefined;
  const admitted = await admitSession(deps, { session, userType, idempotency });
  if (!admitted.replayed) deps.metrics.count('berth_sessions_created_total', { template: session.template });
  try {
    const started = await startInline(deps, admitted.session, resolved.env, options.waitSeconds * 1000);
    return { session: started, replayed: admitted.replayed };
  } catch (error) {
    // The session of an earlier request is that request's: its caller has it already.
    throw admitted.replayed ? asAppError(error) : await undo(deps, admitted.session, idempotency?.key, error);
  }
}

function newSession(deps: Deps, caller: Caller, user: string, request: CreateSessionRequest, resolved: ResolvedSession): SessionDocument {
  const now = deps.clock.now();
  const id = deps.newId();
  const namespace = request.namespace ?? ownNamespace(user);
  const after = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
  const by: LastChange = { by: caller.user ?? user, key_id: caller.keyId, request_id: caller.requestId };
  const warnings = [...deps.clusterWarnings, ...resolved.warnings];
  if (request.user_type !== undefined && caller.kind !== 'admin') warnings.push('user_type counts only from an admin key.');
  return {
    id,
    user,
    user_type: deps.config.defaultUserType,
    namespace,
    k8s_namespace: kubernetesNamespace(deps.config.namespacePrefix, deps.installation, namespace),
    name: request.name ?? null,
    labels: request.labels ?? {},
    workspace_id: request.workspace_id ?? null,
    project_id: null,
    conversation_id: null,
    template: resolved.template,
    resource_tier: resolved.resourceTier,
    spec: { ...resolved.spec, active_deadline_seconds: resolved.ttlMinutes * 60 },
    warnings,
    idle_timeout_minutes: null,
    preserve_data: false,
    grants: {},
    status: 'creating',
    reason: null,
    generation: 1,
    helper: newHelper(deps),
    pod_name: podName(id),
    pod_uid: null,
    node_name: null,
    channel: null,
    pod_losses: [],
    created_at: now.toISOString(),
    updated_at: now.toISOString(),
    started_at: null,
    ttl_minutes: resolved.ttlMinutes,
    expires_at: after(resolved.ttlMinutes * 60),
    start_deadline: after(resolved.spec.start_deadline_seconds),
    stopped_at: null,
    restarts: false,
    due_at: after(resolved.spec.start_deadline_seconds),
    terminated_at: null,
    purge_at: null,
    last_change: by,
    history: [{ at: now.toISOString(), type: 'creating', message: `Admitted for user ${user}` }],
  };
}

/** Does the work within the request; the client's own connection plays no part: a client that hangs up changes nothing. */
async function startInline(deps: Deps, session: SessionDocument, env: ResolvedSession['env'], waitMs: number): Promise<SessionDocument> {
  if (session.status !== 'creating') return session;
  const startedAt = performance.now();
  const hasEnv = session.spec.env_names.length > 0;
  // The inline work goes first; the task finds it done, or does it where we died, or when the caller does not wait any longer.
  const netMs = hasEnv ? creatingGraceMs(session.spec) : Math.min(waitMs, creatingGraceMs(session.spec));
  const [started] = await Promise.all([
    prepareAndWait(deps, session, env, waitMs),
    enqueueProvision(deps, session, new Date(deps.clock.now().getTime() + netMs)),
    enqueueExpire(deps, session),
  ]);
  if (started.status === 'running') deps.metrics.observe('berth_session_start_seconds', (performance.now() - startedAt) / 1000);
  if (started.status === 'creating' && hasEnv) await ensureProvisionTask(deps, session.id);
  return started;
}

async function prepareAndWait(deps: Deps, session: SessionDocument, env: ResolvedSession['env'], waitMs: number): Promise<SessionDocument> {
  if (session.spec.env_names.length > 0) {
    using safe = startDeadline(PREPARE_MS);
    await prepare(deps, session.id, { env, signal: safe.signal });
  }
  if (waitMs === 0) return session;
  using deadline = startDeadline(waitMs);
  return (await provision(deps, session.id, { env, signal: deadline.signal })) ?? session;
}

/** The caller gets an error and never learns of the session, so nothing may stay of it: a retry must not find it in the way. */
async function undo(deps: Deps, session: SessionDocument, idempotency: DocumentKey | undefined, cause: unknown): Promise<Error> {
  try {
    if (idempotency !== undefined) await deps.store.delete(idempotency);
    await deleteSession(deps, session.id, { by: 'system', key_id: null, request_id: session.last_change.request_id });
  } catch (undoing) {
    deps.log.log('error', 'a session that could not be created is left to the sweep', {
      component: 'sessions',
      action: 'undo',
      session_id: session.id,
      error: undoing,
    });
  }
  return asAppError(cause);
}

function asAppError(error: unknown): Error {
  return error instanceof StoreError || error instanceof TaskError ? error : translateKubernetesError(error);
}

async function enqueueProvision(deps: Deps, session: SessionDocument, scheduleTime: Date, attempt = 0): Promise<void> {
  await deps.queue.enqueue({
    name: provisionTaskName(session.id, session.generation, attempt),
    target: 'provision',
    payload: { session_id: session.id },
    scheduleTime,
  });
}

/** The `provision` task. It waits at most nine minutes, as a task's request may last ten, and then lays the next. */
export async function provisionSession(deps: Deps, id: string, signal?: AbortSignal): Promise<void> {
  using deadline = startDeadline(TASK_MS, signal);
  const session = await provision(deps, id, { signal: deadline.signal });
  if (session?.status !== 'creating') return;
  signal?.throwIfAborted();
  const now = deps.clock.now();
  await enqueueProvision(deps, session, now, Math.floor(now.getTime() / 1000));
}

/** Lays the task for now, once a minute at most: it may have been lost, or is later than need be. */
export async function ensureProvisionTask(deps: Deps, id: string): Promise<void> {
  const stored = await readSession(deps, id);
  if (stored?.data.status !== 'creating') return;
  const now = deps.clock.now();
  await enqueueProvision(deps, stored.data, now, Math.floor(now.getTime() / 60_000) * 60);
}
