/**
 * Reading sessions: one, or a page of those that a caller may see.
 *
 * @module
 */
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { Condition } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { readSession } from './change.ts';
import { collections } from './collections.ts';
import type { SessionDocument, SessionStatus } from './model.ts';

export interface SessionFilters {
  readonly namespace?: string;
  readonly user?: string;
  readonly status?: SessionStatus;
  readonly project_id?: string;
  readonly workspace_id?: string;
  readonly template?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly limit: number;
  readonly cursor?: string;
}

/** Throws `AppError` `not_found` also where the session is another user's: who may not use it may not know of it. */
export async function getSession(deps: Deps, caller: Caller, id: string): Promise<SessionDocument> {
  const stored = await readSession(deps, id);
  if (stored === undefined || !mayActFor(caller, stored.data.user)) throw new AppError('not_found', `There is no session "${id}".`);
  return stored.data;
}

/** Newest first. A `user` key sees its own sessions alone, whatever the filter says. */
export async function listSessions(
  deps: Deps,
  caller: Caller,
  filters: SessionFilters,
): Promise<{ readonly sessions: readonly SessionDocument[]; readonly nextCursor: string | null }> {
  const user = caller.kind === 'user' ? caller.user : filters.user;
  if (caller.kind === 'user' && filters.user !== undefined && filters.user !== caller.user) return { sessions: [], nextCursor: null };
  const equal = (path: string, value: string | null | undefined): Condition[] =>
    value === undefined || value === null ? [] : [{ path, operator: '==', value }];
  const where = [
    ...equal('user', user),
    ...equal('namespace', filters.namespace),
    ...equal('status', filters.status),
    ...equal('project_id', filters.project_id),
    ...equal('workspace_id', filters.workspace_id),
    ...equal('template', filters.template),
    ...Object.entries(filters.labels).flatMap(([name, value]) => equal(`labels.${name}`, value)),
  ];
  const page = await deps.store.query<SessionDocument>(collections.sessions, {
    where,
    orderBy: { path: 'created_at', direction: 'descending' },
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  return { sessions: page.documents.map((document) => document.data), nextCursor: page.nextCursor ?? null };
}
