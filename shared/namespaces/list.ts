/**
 * A caller's namespaces: seeing them, and giving one up.
 *
 * @module
 */
import { accessTo, assertAccess, type Caller } from '../auth/caller.ts';
import { granteeOf, sharedWithUser } from '../auth/shared-with.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { collections, namespaceKey } from '../sessions/collections.ts';
import type { NamespaceDocument } from './model.ts';
import { releaseNamespace } from './release.ts';

export interface NamespaceFilters {
  /** Whose; with `shared`, with whom they are shared. */
  readonly user?: string;
  /** Those of others that are shared with the user, in place of their own. */
  readonly shared?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

export interface NamespacePage {
  readonly namespaces: readonly NamespaceDocument[];
  readonly nextCursor: string | null;
}

/**
 * By name; what is shared, the newest grant first. A `user` key sees its own user's, the others see all. Throws `AppError`
 * `validation_failed` where a back end asks for what is shared and does not say with whom.
 */
export async function listNamespaces(deps: Deps, caller: Caller, filters: NamespaceFilters): Promise<NamespacePage> {
  if (filters.shared === true) {
    const page = await sharedWithUser<NamespaceDocument>(deps, granteeOf(caller, filters.user), 'namespace', filters);
    return { namespaces: page.documents, nextCursor: page.nextCursor };
  }
  const isOthers = caller.kind === 'user' && filters.user !== undefined && filters.user !== caller.user;
  if (isOthers) return { namespaces: [], nextCursor: null };
  const owner = caller.kind === 'user' ? caller.user : filters.user;
  const page = await deps.store.query<NamespaceDocument>(collections.namespaces, {
    where: owner === undefined ? [] : [{ path: 'owner', operator: '==', value: owner }],
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  return { namespaces: page.documents.map(({ data }) => data), nextCursor: page.nextCursor ?? null };
}

/**
 * Releases an empty namespace at once instead of after its linger; one that is gone already is fine. Answers whose it was, `undefined`
 * where there was none. Throws `AppError` `invalid_state` naming the sessions that need it, `not_found` where it is another user's,
 * `forbidden` where it is shared with the caller.
 */
export async function deleteNamespace(deps: Deps, caller: Caller, namespace: string): Promise<string | undefined> {
  const stored = await deps.store.get<NamespaceDocument>(namespaceKey(namespace));
  if (stored === undefined) return undefined;
  const document = stored.data;
  assertAccess(accessTo(caller, document), 'owner', `namespace "${namespace}"`);
  const sessions = Object.keys(document.sessions);
  if (sessions.length > 0) {
    throw new AppError(
      'invalid_state',
      `The namespace "${namespace}" is needed by ${sessions.length} session(s): ${sessions.slice(0, 5).join(', ')}. Delete them first.`,
    );
  }
  const volumes = Object.keys(document.volumes ?? {});
  if (volumes.length > 0) {
    throw new AppError(
      'invalid_state',
      `${String(volumes.length)} volume(s) or snapshot(s) are in the namespace "${namespace}": ${volumes.slice(0, 5).join(', ')}. Delete them first.`,
    );
  }
  try {
    await releaseNamespace(deps, stored);
    return document.owner;
  } catch (error) {
    throw translateKubernetesError(error);
  }
}
