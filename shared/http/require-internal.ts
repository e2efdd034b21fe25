/**
 * Lets only our own queue and scheduler pass.
 *
 * @module
 */
import type { MiddlewareHandler } from 'hono';
import type { InternalAuth } from '../auth/internal.ts';
import { AppError } from '../errors/app-error.ts';
import type { AppEnv } from './environment.ts';

export function requireInternal(isOurs: InternalAuth): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    if (!(await isOurs(c.req.raw))) throw new AppError('unauthenticated', 'Only the task queue and the scheduler may call this.');
    await next();
  };
}
