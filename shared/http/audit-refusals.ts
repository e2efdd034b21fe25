/**
 * Puts refusals into the audit: a 403 changes nothing, so that nothing else would tell of it.
 *
 * @module
 */
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { recordAudit } from '../audit/record.ts';
import { AppError } from '../errors/app-error.ts';
import type { AppDeps } from './create-app.ts';
import type { AppEnv } from './environment.ts';

/** A client in a loop must not fill the store: beyond this many a minute, of one caller, a refusal is in the access log alone. */
const LARGEST_RATE = 120;
const MINUTE_MS = 60_000;

/** Stands behind authentication: whoever is refused there is nobody yet. */
export function auditRefusals(deps: AppDeps): MiddlewareHandler<AppEnv> {
  const admitted = boundedPerMinute(LARGEST_RATE);
  return async (c, next) => {
    await next();
    const { caller } = c.var;
    if (c.res.status !== 403 || caller === undefined) return;
    // All tokens of one issuer have one key's id.
    if (!admitted(JSON.stringify([caller.keyId, caller.user]), deps.clock.now())) return;
    await recordAudit(deps, {
      caller,
      action: 'request.refused',
      outcome: 'refused',
      target: c.req.path,
      detail: { method: c.req.method, route: routePath(c, -1), code: c.error instanceof AppError ? c.error.code : null },
    });
  };
}

/** Whether it is one of the first so many of this caller within the minute. What is kept is of that minute alone. */
function boundedPerMinute(most: number): (caller: string, now: Date) => boolean {
  let minute = 0;
  const counts = new Map<string, number>();
  return (caller, now) => {
    const current = Math.floor(now.getTime() / MINUTE_MS);
    if (current !== minute) counts.clear();
    minute = current;
    const count = (counts.get(caller) ?? 0) + 1;
    counts.set(caller, count);
    return count <= most;
  };
}
