/**
 * Sessions of others that a user may use.
 *
 * @module
 */
import { accessOf, type Caller } from '../auth/caller.ts';
import { granteeOf, sharedWithUser } from '../auth/shared-with.ts';
import type { Deps } from '../deps.ts';
import { isGone } from '../documents/gone.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { namespaceKey } from './collections.ts';
import type { SessionDocument } from './model.ts';
import { querySessions, type SessionFilters, type SessionPage } from './query.ts';

/**
 * Those that were shared with the user one by one; with `namespace`, all of a namespace that is the user's or shared with them. The
 * `user` filter then says whose they are; a back end says with it for whom it asks. Throws `AppError` `validation_failed` where it does not.
 */
export async function listSharedSessions(deps: Deps, caller: Caller, filters: SessionFilters): Promise<SessionPage> {
  const user = granteeOf(caller, filters.user);
  const { user: named, ...others } = filters;
  const wanted: SessionFilters = caller.kind === 'user' && named !== undefined ? { ...others, user: named } : others;
  if (wanted.namespace !== undefined) return inNamespace(deps, user, wanted.namespace, wanted);
  const page = await sharedWithUser<SessionDocument>(deps, user, 'session', wanted);
  const now = deps.clock.now();
  return { sessions: page.documents.filter((session) => matches(session, wanted) && !isGone(session, now)), nextCursor: page.nextCursor };
}

async function inNamespace(deps: Deps, user: string, name: string, filters: SessionFilters): Promise<SessionPage> {
  const namespace = await deps.store.get<NamespaceDocument>(namespaceKey(name));
  if (namespace === undefined || accessOf(user, namespace.data) === undefined) return { sessions: [], nextCursor: null };
  const page = await querySessions(deps, filters);
  // Those that have left it, of an owner before, are in the list of nobody but their owners.
  const visible = page.sessions.filter((session) => session.user === user || hostOf(namespace.data, session.id) !== undefined);
  return { ...page, sessions: visible };
}

const filteredFields = ['user', 'status', 'project_id', 'workspace_id', 'template'] as const;

function matches(session: SessionDocument, filters: SessionFilters): boolean {
  return (
    filteredFields.every((field) => filters[field] === undefined || session[field] === filters[field]) &&
    Object.entries(filters.labels).every(([name, value]) => session.labels[name] === value)
  );
}
