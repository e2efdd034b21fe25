/**
 * Creating a session so that a death at any point leaves nothing half done (design §5).
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { DocumentKey } from '../documents/port.ts';
import { admitSession, idempotencyOf } from './admission.ts';
import { asAppError } from './as-app-error.ts';
import { changeSession } from './change.ts';
import type { CreateSessionRequest } from './create-request.ts';
import { deleteSession } from './delete.ts';
import type { LastChange, SessionDocument } from './model.ts';
import { newSession } from './new-session.ts';
import { ownerOf } from './owner.ts';
import { resolveRequest } from './resolve-request.ts';
import { startInline } from './start-inline.ts';

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

/**
 * Throws `AppError`: `validation_failed`, `unknown_template`, `not_implemented`, `forbidden`, `namespace_taken`, `quota_exceeded`,
 * `idempotency_key_reused`; `cluster_unavailable`, after which nothing is left of the session.
 */
export async function createSession(deps: Deps, caller: Caller, request: CreateSessionRequest, options: CreateOptions): Promise<Created> {
  const user = ownerOf(caller, request.user);
  const resolved = await resolveRequest(deps, request);
  const session = newSession(deps, { caller, user, request, resolved });
  const idempotency = idempotencyOf(deps, user, options.idempotencyKey, request);
  const userType = caller.kind === 'admin' ? request.user_type : undefined;
  const admitted = await admitSession(deps, { session, volumes: resolved.volumes, userType, idempotency });
  if (!admitted.replayed) deps.metrics.count('berth_sessions_created_total', { template: session.template });
  try {
    const started = await startInline(deps, admitted.session, resolved.env, options.waitSeconds * 1000);
    return { session: started, replayed: admitted.replayed };
  } catch (error) {
    // The session of an earlier request is that request's: its caller has it already.
    throw admitted.replayed ? asAppError(error) : await undo(deps, admitted.session, idempotency?.key, error);
  }
}

/** The caller gets an error and never learns of the session, so nothing may stay of it: a retry must not find it in the way. */
export async function undo(deps: Deps, session: SessionDocument, idempotency: DocumentKey | undefined, cause: unknown): Promise<Error> {
  const by: LastChange = { by: 'system', key_id: null, request_id: session.last_change.request_id };
  try {
    // In this order: while the session lives, its key has to lead to it and make no other.
    await changeSession(deps, session.id, { type: 'delete', undo: true }, by);
    if (idempotency !== undefined) await deps.store.delete(idempotency);
    await deleteSession(deps, session.id, by);
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
