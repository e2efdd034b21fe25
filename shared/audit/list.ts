/**
 * Reading the audit.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { Condition } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { collections } from '../sessions/collections.ts';
import type { AuditDocument } from './model.ts';

export interface AuditFilters {
  readonly user?: string;
  readonly action?: string;
  readonly target?: string;
  /** Both RFC 3339 with milliseconds; `since` itself counts, `until` does not. */
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export interface AuditPage {
  readonly entries: readonly AuditDocument[];
  readonly nextCursor: string | null;
}

/** Newest first. An admin sees everything, a user what is about their own. Throws `AppError` `forbidden` for a service. */
export async function listAudit(deps: Pick<Deps, 'store' | 'clock'>, caller: Caller, filters: AuditFilters): Promise<AuditPage> {
  if (caller.kind === 'service')
    throw new AppError('forbidden', 'The audit needs a key of kind admin or user; this one is of kind service.');
  if (caller.kind === 'user' && filters.user !== undefined && filters.user !== caller.user) return { entries: [], nextCursor: null };
  const user = caller.kind === 'user' ? caller.user : filters.user;
  const where: Condition[] = [
    ...equal('user', user),
    ...equal('action', filters.action),
    ...equal('target', filters.target),
    ...(filters.since === undefined ? [] : [{ path: 'at', operator: '>=' as const, value: filters.since }]),
    ...(filters.until === undefined ? [] : [{ path: 'at', operator: '<' as const, value: filters.until }]),
  ];
  const page = await deps.store.query<AuditDocument>(collections.audit, {
    where,
    orderBy: { path: 'at', direction: 'descending' },
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  const now = deps.clock.now().toISOString();
  // The store may keep an expired document for another day.
  const entries = page.documents.map(({ data }) => data).filter(({ purge_at: purgeAt }) => purgeAt > now);
  return { entries, nextCursor: page.nextCursor ?? null };
}

function equal(path: string, value: string | null | undefined): Condition[] {
  return value === undefined || value === null ? [] : [{ path, operator: '==', value }];
}
