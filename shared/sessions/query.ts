/**
 * Sessions by what stands in their documents, whoever asks. What a caller may see is decided in `list.ts`.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { isGone } from '../documents/gone.ts';
import type { Condition } from '../documents/port.ts';
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
  /** Those of others that are shared with the caller, in place of their own. */
  readonly shared?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

export interface SessionPage {
  readonly sessions: readonly SessionDocument[];
  readonly nextCursor: string | null;
}

/**
 * A page of all that match, newest first; with labels in the order of ids. Labels have names of the callers' choice, and Firestore cannot
 * order by time what is filtered by a field that no index of ours names: it only joins the indexes that every field has by itself. Those
 * whose time is over are left out, so a page may be shorter than its limit and still not be the last.
 */
export async function querySessions(deps: Pick<Deps, 'clock' | 'store'>, filters: SessionFilters): Promise<SessionPage> {
  const equal = (path: string, value: string | undefined): Condition[] => (value === undefined ? [] : [{ path, operator: '==', value }]);
  const where = [
    ...equal('user', filters.user),
    ...equal('namespace', filters.namespace),
    ...equal('status', filters.status),
    ...equal('project_id', filters.project_id),
    ...equal('workspace_id', filters.workspace_id),
    ...equal('template', filters.template),
    ...Object.entries(filters.labels).flatMap(([name, value]) => equal(`labels.${name}`, value)),
  ];
  const page = await deps.store.query<SessionDocument>(collections.sessions, {
    where,
    ...(Object.keys(filters.labels).length > 0 ? {} : { orderBy: { path: 'created_at', direction: 'descending' } as const }),
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  const now = deps.clock.now();
  const sessions = page.documents.map((document) => document.data).filter((session) => !isGone(session, now));
  return { sessions, nextCursor: page.nextCursor ?? null };
}
