/**
 * A caller's namespaces: seeing them, and giving one up.
 *
 * @module
 */
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { collections, namespaceKey } from '../sessions/collections.ts';
import type { NamespaceDocument } from './model.ts';
import { releaseNamespace } from './release.ts';

const LARGEST_LIST = 1000;

/** By name. A `user` key sees its own user's; the others see all. */
export async function listNamespaces(deps: Deps, caller: Caller): Promise<readonly NamespaceDocument[]> {
  const where = caller.kind === 'user' ? [{ path: 'owner', operator: '==' as const, value: caller.user }] : [];
  const page = await deps.store.query<NamespaceDocument>(collections.namespaces, { where, limit: LARGEST_LIST });
  return page.documents.map((document) => document.data);
}

/**
 * Releases an empty namespace at once instead of after its linger; one that is gone already is fine. Throws `AppError`
 * `invalid_state` naming the sessions that need it, and `not_found` where it is another user's.
 */
export async function deleteNamespace(deps: Deps, caller: Caller, namespace: string): Promise<void> {
  const stored = await deps.store.get<NamespaceDocument>(namespaceKey(namespace));
  if (stored === undefined) return;
  const document = stored.data;
  if (!mayActFor(caller, document.owner)) throw new AppError('not_found', `There is no namespace "${namespace}".`);
  const sessions = Object.keys(document.sessions);
  if (sessions.length > 0) {
    throw new AppError(
      'invalid_state',
      `The namespace "${namespace}" is needed by ${sessions.length} session(s): ${sessions.slice(0, 5).join(', ')}. Delete them first.`,
    );
  }
  try {
    await releaseNamespace(deps, stored);
  } catch (error) {
    throw translateKubernetesError(error);
  }
}
