/**
 * One line and one measurement per request, and a logger that names it.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { LogLevel } from '../observability/logger.ts';
import { readTrace } from '../observability/trace.ts';
import type { AppDeps } from './create-app.ts';
import type { AppEnv } from './environment.ts';

/** Asked every few seconds by machines; of interest only when something is wrong. */
const probes = new Set(['/healthz', '/readyz', '/health', '/metrics']);

/** Times come from a monotonic clock: the injected one is for decisions. */
export function accessLog(deps: Pick<AppDeps, 'log' | 'metrics'>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const started = performance.now();
    const trace = readTrace(c.req.header('traceparent'), c.req.header('x-cloud-trace-context'));
    c.set('log', deps.log.with({ component: 'http', request_id: c.var.requestId, ...trace }));
    await next();
    const seconds = (performance.now() - started) / 1_000;
    const { status } = c.res;
    // The pattern, never the path: ids would make a series of each session.
    const route = status === 404 || status === 405 ? 'none' : routePath(c, -1);
    deps.metrics.count('berth_http_requests_total', { method: methodLabel(c.req.method), route, status: String(status) });
    deps.metrics.observe('berth_http_request_seconds', seconds, { method: methodLabel(c.req.method), route });
    c.var.log.log(levelOf(c), `${c.req.method} ${c.req.path.slice(0, 200)} ${String(status)}`, {
      action: 'request',
      ...whoAndWhat(c),
      method: c.req.method,
      route,
      status,
      duration_ms: Math.round(seconds * 1_000),
    });
  };
}

function levelOf(c: Context<AppEnv>): LogLevel {
  if (c.res.status >= 500 && c.res.status !== 501) return 'warn';
  return probes.has(c.req.path) ? 'debug' : 'info';
}

function whoAndWhat(c: Context<AppEnv>): Record<string, string> {
  const { caller } = c.var;
  const [, session] = /^\/v1\/sessions\/([0-9a-z]{1,63})(?:\/|$)/.exec(c.req.path) ?? [];
  return {
    ...(caller === undefined ? {} : { key_id: caller.keyId }),
    ...(typeof caller?.user === 'string' ? { user_id: caller.user } : {}),
    ...(session === undefined ? {} : { session_id: session }),
  };
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function methodLabel(method: string): string {
  return methods.has(method) ? method : 'other';
}
