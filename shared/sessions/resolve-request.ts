/**
 * A request with its template, which may be one of the installation's own.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { readTemplate } from '../templates/custom-templates.ts';
import type { CreateSessionRequest } from './create-request.ts';
import { resolveSession, type ResolvedSession, type ResolveOptions } from './resolve.ts';

/** Errors as `resolveSession` has them. */
export async function resolveRequest(
  deps: Pick<Deps, 'store'>,
  request: CreateSessionRequest,
  options: Omit<ResolveOptions, 'template'> = {},
): Promise<ResolvedSession> {
  const template = request.template === undefined ? undefined : await readTemplate(deps, request.template);
  return resolveSession(request, { ...options, ...(template === undefined ? {} : { template }) });
}
