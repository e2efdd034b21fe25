/**
 * Reading sessions: one, or a page of those that a caller may see.
 *
 * @module
 */
import { accessTo, assertAccess, type AccessLevel, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { isGone } from '../documents/gone.ts';
import { AppError } from '../errors/app-error.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { readSession } from './change.ts';
import { namespaceKey } from './collections.ts';
import { listSharedSessions } from './list-shared.ts';
import type { SessionDocument } from './model.ts';
import { querySessions, type SessionFilters, type SessionPage } from './query.ts';

/**
 * The session, if the caller may do with it what is `needed`: `write` to change or use it, `owner` to end or share it. Throws `AppError`
 * `not_found` also where the session is another user's and not shared with the caller: who may not use it may not know of it; `forbidden`
 * where less was granted than is needed.
 */
export async function getSession(deps: Deps, caller: Caller, id: string, needed: AccessLevel = 'read'): Promise<SessionDocument> {
  const stored = (await readSession(deps, id))?.data;
  const session = stored === undefined || isGone(stored, deps.clock.now()) ? undefined : stored;
  assertAccess(session === undefined ? undefined : await sessionAccess(deps, caller, session), needed, `session "${id}"`);
  if (session === undefined) throw new AppError('not_found', `There is no session "${id}".`);
  return session;
}

/** Reads the session's namespace only for those who are not its owner. */
async function sessionAccess(deps: Deps, caller: Caller, session: SessionDocument): Promise<AccessLevel | undefined> {
  const owned = { owner: session.user, grants: session.grants };
  if (accessTo(caller, owned) === 'owner') return 'owner';
  const namespace = await deps.store.get<NamespaceDocument>(namespaceKey(session.namespace));
  return accessTo(caller, { ...owned, within: hostOf(namespace?.data, session.id) });
}

/** Newest first. A `user` key sees its own sessions alone, whatever the filter says, unless it asks for what is shared with it. */
export async function listSessions(deps: Deps, caller: Caller, filters: SessionFilters): Promise<SessionPage> {
  if (filters.shared === true) return listSharedSessions(deps, caller, filters);
  if (caller.kind !== 'user') return querySessions(deps, filters);
  if (caller.user === null || (filters.user ?? caller.user) !== caller.user) return { sessions: [], nextCursor: null };
  return querySessions(deps, { ...filters, user: caller.user });
}
