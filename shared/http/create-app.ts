/**
 * What every unit's app has: request ids, security headers, the access log, and errors as problem documents. Routes are added to it.
 *
 * @module
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { requestId } from 'hono/request-id';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { accessLog } from './access-log.ts';
import { allowedMethods } from './allowed-methods.ts';
import type { AppEnv } from './environment.ts';
import { errorOf, renderProblem } from './problem.ts';
import { securityHeaders } from './security-headers.ts';
import { validationError } from './validation.ts';

export type App = OpenAPIHono<AppEnv>;
export type AppDeps = Pick<Deps, 'clock' | 'config' | 'log' | 'metrics' | 'newId' | 'store'>;

const LONGEST_REQUEST_ID = 128;

const partNames: Readonly<Record<string, string>> = { json: 'The body', query: 'The query', header: 'A header' };

export function createApp(deps: AppDeps): App {
  const app: App = new OpenAPIHono<AppEnv>({
    defaultHook: (result, c) => {
      if (result.success) return;
      // A path whose id has an impossible form is a path where nothing can be.
      if (result.target === 'param') throw notFound(c);
      throw validationError(partNames[result.target] ?? 'The request', result.error.issues);
    },
  });
  app.use(requestId({ limitLength: LONGEST_REQUEST_ID, generator: () => deps.newId() }));
  app.use(securityHeaders(deps.config));
  app.use(noStore);
  app.use(accessLog(deps));
  app.onError((thrown, c) => answerError(c, thrown));
  app.notFound((c) => answerError(c, noRoute(app, c)));
  return app;
}

/** Answers hold other people's data and keys: no cache keeps them, unless a route says otherwise. */
async function noStore(c: Context, next: () => Promise<void>): Promise<void> {
  await next();
  if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
}

function noRoute(app: App, c: Context<AppEnv>): AppError {
  const allow = allowedMethods(app.routes, c.req.path);
  if (allow.length === 0) return notFound(c);
  return new AppError('method_not_allowed', `${c.req.method} does nothing here; ${allow.join(', ')} would.`, { extensions: { allow } });
}

function notFound(c: Context): AppError {
  return new AppError('not_found', `There is nothing at ${c.req.path.slice(0, 200)}.`);
}

/** Unexpected errors are logged here, once, with their stack; the caller gets the request id to ask about. */
function answerError(c: Context<AppEnv>, thrown: unknown): Response {
  const error = errorOf(thrown);
  const problem = renderProblem(error, c.var.requestId);
  if (problem.status >= 500 && error.code !== 'not_implemented') {
    c.var.log.log(error.code === 'internal' ? 'error' : 'warn', `${c.req.method} failed: ${error.detail}`, {
      action: 'request_failed',
      error: thrown,
    });
  }
  return c.body(problem.body, problem.status as ContentfulStatusCode, problem.headers);
}
