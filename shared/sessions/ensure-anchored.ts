/**
 * Get-or-create of the one session of a project or conversation: what is there is answered, started or waited for; else one is made.
 *
 * @module
 */
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { UserType } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { backoffMs, pause } from '../kubernetes/retry.ts';
import { anchorVolumeName } from '../storage/names.ts';
import { admitSession } from './admission.ts';
import type { Anchor, AnchorDocument } from './anchors.ts';
import { byCaller, readSession } from './change.ts';
import { anchorKey } from './collections.ts';
import { nameConversation } from './name-conversation.ts';
import { undo } from './create.ts';
import type { CreateSessionRequest } from './create-request.ts';
import { differences, rebuildFor } from './differences.ts';
import type { StartEvent } from './lifecycle.ts';
import type { SessionDocument } from './model.ts';
import { newSession } from './new-session.ts';
import { ownerOfAnchor } from './owner.ts';
import { replaceEnvSecret } from './pod-secrets.ts';
import { changeToStart } from './readmit.ts';
import type { ResolvedSession } from './resolve.ts';
import { resolveRequest } from './resolve-request.ts';
import { bringUp } from './start.ts';
import { startInline } from './start-inline.ts';

export interface EnsureOptions {
  /** How long to wait for the session to be ready; 0 answers at once. */
  readonly waitSeconds: number;
  /** Rebuilds, on its storage, a session that differs from the request. */
  readonly recreate?: boolean;
}

export interface Ensured {
  readonly session: SessionDocument;
  readonly created: boolean;
}

interface Asked {
  readonly caller: Caller;
  readonly anchor: Anchor;
  readonly request: CreateSessionRequest;
  readonly resolved: ResolvedSession;
  readonly options: EnsureOptions;
}

/** Each is a session that ended between the look at it and the attempt to use it. */
const MOST_ATTEMPTS = 5;

/**
 * At most one session each, under any concurrency: the anchor is written in the transaction that admits the session. Where the data of the
 * session before is to go, it is waited for. Throws `AppError`: `anchor_taken`, `volume_deleting`, and what `createSession` and `startSession` throw.
 */
export async function ensureAnchored(
  deps: Deps,
  caller: Caller,
  asked: Anchor,
  request: CreateSessionRequest,
  options: EnsureOptions,
): Promise<Ensured> {
  refuseOtherIds(asked, request);
  const anchor = asked.kind === 'conversation' && request.project_id !== undefined ? projectOf(request.project_id) : asked;
  const named = asked.kind === 'conversation' ? { ...request, conversation_id: asked.id } : request;
  const resolved = await resolveRequest(deps, request, { workspaceVolume: anchorVolumeName(anchor.kind, anchor.id) });
  const end = performance.now() + options.waitSeconds * 1000;
  for (let waits = 0; ; waits += 1) {
    const leftMs = Math.max(0, end - performance.now());
    try {
      return await useOrCreate(deps, { caller, anchor, request: named, resolved, options: { ...options, waitSeconds: leftMs / 1000 } });
    } catch (error) {
      // What the session before has left goes by its owner's will: this one gets a volume of its own after that.
      if (!(error instanceof AppError && error.code === 'volume_deleting') || leftMs === 0) throw error;
      await pause(Math.min(leftMs, backoffMs(waits)));
    }
  }
}

async function useOrCreate(deps: Deps, asked: Asked): Promise<Ensured> {
  const { anchor } = asked;
  for (let attempts = 0; attempts < MOST_ATTEMPTS; attempts += 1) {
    const found = await findAnchored(deps, anchor);
    const ensured = isLive(found?.session) ? await useExisting(deps, asked, found.session) : await create(deps, asked, found?.sessionId);
    if (ensured !== undefined) return ensured;
  }
  throw new AppError('conflict', `The session of the ${anchor.kind} is being ended and made again by others at once.`);
}

/** A path names one project or conversation; a body that names another one would say which is meant. */
function refuseOtherIds({ kind, id }: Anchor, request: CreateSessionRequest): void {
  const field = kind === 'project' ? 'project_id' : 'conversation_id';
  if (request[field] === undefined || request[field] === id) return;
  throw new AppError('validation_failed', `The path names the ${kind} "${id}", the body another one.`, {
    errors: [{ path: field, message: 'leave it out' }],
  });
}

function projectOf(id: string): Anchor {
  return { kind: 'project', id };
}

function isLive(session: SessionDocument | undefined): session is SessionDocument {
  return session !== undefined && session.status !== 'terminating' && session.status !== 'terminated';
}

/** What the anchor names; `session` is absent where that is gone from the store. */
export async function findAnchored(
  deps: Deps,
  anchor: Anchor,
): Promise<{ readonly sessionId: string; readonly session: SessionDocument | undefined } | undefined> {
  const stored = await deps.store.get<AnchorDocument>(anchorKey(anchor));
  if (stored === undefined) return undefined;
  const sessionId = stored.data.session_id;
  return { sessionId, session: (await readSession(deps, sessionId))?.data };
}

/** Throws `AppError` `not_found` where there is none, or it is another user's. */
export async function getAnchored(deps: Deps, caller: Caller, anchor: Anchor): Promise<SessionDocument> {
  const session = (await findAnchored(deps, anchor))?.session;
  if (isLive(session) && mayActFor(caller, session.user)) return session;
  throw new AppError('not_found', `The ${anchor.kind} "${anchor.id}" has no session.`);
}

/** `undefined`: somebody else was faster. `gone`: the anchor's session that is no more, whose place is taken. */
async function create(deps: Deps, asked: Asked, gone?: string): Promise<Ensured | undefined> {
  const { caller, anchor, request, resolved, options } = asked;
  const user = ownerOfAnchor(caller, anchor, request.user);
  const session = newSession(deps, { caller, user, request, resolved, anchor });
  const admitted = await admitSession(deps, {
    session,
    volumes: resolved.volumes,
    userType: userTypeOf(asked),
    idempotency: undefined,
    anchor: { ...anchor, ...(gone === undefined ? {} : { replaces: gone }) },
  });
  if (admitted.anchorTakenBy !== undefined) return undefined;
  deps.metrics.count('berth_sessions_created_total', { template: session.template });
  try {
    return { session: await startInline(deps, admitted.session, resolved.env, options.waitSeconds * 1000), created: true };
  } catch (error) {
    throw await undo(deps, admitted.session, undefined, error);
  }
}

/** `undefined`: it ended meanwhile. */
async function useExisting(deps: Deps, asked: Asked, session: SessionDocument): Promise<Ensured | undefined> {
  const { caller, request, resolved, options } = asked;
  refuseOthers(asked, session);
  const differing = differences(session, request, resolved);
  const event = eventFor(session, asked, differing.length > 0);
  const by = byCaller(caller, session.user);
  const result =
    event === undefined
      ? { session, changed: false }
      : await changeToStart(deps, session.id, event, { by, userType: userTypeOf(asked), remakesVolumes: options.recreate === true });
  if (!isLive(result?.session)) return undefined;
  const rebuilds = event?.rebuild !== undefined && result.changed;
  const env = rebuilds && (request.env !== undefined || session.status === 'failed') ? resolved.env : undefined;
  if (env !== undefined) await replaceEnvSecret(deps, result.session, env);
  const brought = await bringUp(deps, result, options.waitSeconds * 1000, env);
  if (!isLive(brought)) return undefined;
  const named = await nameConversation(deps, brought, request.conversation_id);
  const warnings = event?.rebuild === undefined ? differing : [];
  return { session: { ...named, warnings: [...named.warnings, ...warnings] }, created: false };
}

/**
 * One that failed is made from this request, for what it was made from did not work. The generation tells many who ask for the same rebuild
 * at once from one another: the first is enough.
 */
function eventFor(session: SessionDocument, { request, resolved, options }: Asked, differs: boolean): StartEvent | undefined {
  const { generation } = session;
  if (session.status === 'failed') {
    const rebuild = rebuildFor(session, { ...request, env: request.env ?? {} }, resolved);
    return { type: 'start', rebuild, generation };
  }
  if (options.recreate === true && differs && session.status !== 'creating') {
    return { type: 'restart', rebuild: rebuildFor(session, request, resolved), generation };
  }
  return session.status === 'stopped' || session.status === 'stopping' ? { type: 'start' } : undefined;
}

function userTypeOf({ caller, request }: Asked): UserType | undefined {
  return caller.kind === 'admin' ? request.user_type : undefined;
}

function refuseOthers({ caller, anchor, request }: Asked, session: SessionDocument): void {
  if (mayActFor(caller, session.user) && (request.user === undefined || request.user === session.user)) return;
  throw new AppError('anchor_taken', `The ${anchor.kind} "${anchor.id}" has a session of another user.`, {
    errors: [{ path: `${anchor.kind}_id`, message: 'ids are one space for all users: choose another' }],
  });
}
