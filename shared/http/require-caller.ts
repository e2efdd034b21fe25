/**
 * Authentication as middleware: it runs before any body is read.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono';
import { authenticate, type Authenticator } from '../auth/authenticate.ts';
import type { Caller, KeyKind } from '../auth/caller.ts';
import { AppError } from '../errors/app-error.ts';
import type { AppEnv } from './environment.ts';

/** Lets only those pass whose key or identity token is valid. */
export function requireCaller(authenticator: Authenticator): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const caller = await authenticate(authenticator, {
      apiKey: c.req.header('x-api-key'),
      authorization: c.req.header('authorization'),
      requestId: c.var.requestId,
    });
    c.set('caller', caller);
    await next();
  };
}

/** Who is calling, on a path behind `requireCaller`. */
export function callerOf(c: Context<AppEnv>): Caller {
  const { caller } = c.var;
  if (caller === undefined) throw new Error(`${c.req.path} asks who is calling, but nothing in front of it authenticates`);
  return caller;
}

/** Throws `AppError` `forbidden` where the key is of none of these kinds. */
export function assertKind(caller: Caller, kinds: readonly KeyKind[], what: string): void {
  if (kinds.includes(caller.kind)) return;
  throw new AppError('forbidden', `${what} needs a key of kind ${kinds.join(' or ')}; this one is of kind ${caller.kind}.`);
}
