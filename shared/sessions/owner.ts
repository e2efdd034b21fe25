/**
 * For whom a request is.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import { AppError } from '../errors/app-error.ts';

/** The user that the request acts for. Throws `AppError` `forbidden`, `validation_failed`. */
export function ownerOf(caller: Caller, user: string | undefined): string {
  refuseOthers(caller, user);
  const owner = user ?? caller.user;
  if (owner !== null) return owner;
  throw new AppError('validation_failed', 'The request has to say for which user it is.', {
    errors: [{ path: 'user', message: 'required with a service key' }],
  });
}

/**
 * The owner of a project's or conversation's session. A back end that names no user makes the project itself the owner, with limits of its
 * own: `project:<id>`, `conversation:<id>`. Throws `AppError` `forbidden`.
 */
export function ownerOfAnchor(
  caller: Caller,
  anchor: { readonly kind: 'project' | 'conversation'; readonly id: string },
  user: string | undefined,
): string {
  refuseOthers(caller, user);
  if (user !== undefined) return user;
  return caller.kind === 'user' && caller.user !== null ? caller.user : `${anchor.kind}:${anchor.id}`;
}

function refuseOthers(caller: Caller, user: string | undefined): void {
  if (caller.kind !== 'user' || user === undefined || user === caller.user) return;
  throw new AppError('forbidden', 'This key acts for its own user only.', { errors: [{ path: 'user', message: 'leave it out' }] });
}
