/**
 * The HTTP server of a unit: its app as a function of `@google-cloud/functions-framework`, kept out of the framework's reach.
 *
 * The framework parses every body before it calls the function: up to 1 GiB, unauthenticated, and malformed JSON is answered with an HTML
 * page. Its parsers skip a request that has neither `content-length` nor `transfer-encoding`. Its router answers a malformed `%` in a path
 * with HTML as well, and `/favicon.ico` with an empty 404. So the server in front hides both headers and the path, and the function puts
 * them back before it calls hono. Errors are then problem documents, authentication comes before the body, and bodies stream.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { http } from '@google-cloud/functions-framework';
import { getRequestListener } from '@hono/node-server';
import { AppError } from '../errors/app-error.ts';
import type { App } from './create-app.ts';
import { renderProblem } from './problem.ts';

const hiddenHeaders = ['content-length', 'transfer-encoding'] as const;

/** Longer than load balancers keep an idle connection, so that it is never we who close one that is about to be used. */
const KEEP_ALIVE_MS = 620_000;
/** For the whole request to arrive, its body included. */
const REQUEST_MS = 60_000;

interface Hidden {
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Registers the app under this name with the framework and makes its server, which does not listen yet. */
export function createFunctionServer(name: string, app: App): Server {
  const hidden = new WeakMap<IncomingMessage, Hidden>();
  // The types of the framework's requests are express's; what arrives is node's own.
  const listener = getRequestListener(app.fetch, { errorHandler: answerUnreadable });
  http(name, (request, response) => {
    restore(request, hidden.get(request));
    return listener(request, response);
  });
  // Express takes longer to load than all of ours, so the unit listens before it is there, and requests wait for it.
  let framework: Promise<Server> | undefined;
  const load = (): Promise<Server> => (framework ??= loadFramework(name));
  const server = createServer({ requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    hidden.set(request, hide(request));
    void load().then((inner) => inner.emit('request', request, response));
  });
  server.once('listening', () => setImmediate(() => void load()));
  return server;
}

async function loadFramework(name: string): Promise<Server> {
  const { getTestServer } = await import('@google-cloud/functions-framework/testing');
  return getTestServer(name);
}

function hide(request: IncomingMessage): Hidden {
  const headers = Object.fromEntries(hiddenHeaders.map((header) => [header, request.headers[header]]));
  const { url } = request;
  for (const header of hiddenHeaders) delete request.headers[header];
  request.url = '/';
  return { url, headers };
}

function restore(request: IncomingMessage, hidden: Hidden | undefined): void {
  if (hidden === undefined) return;
  if (hidden.url !== undefined) request.url = hidden.url;
  for (const [header, value] of Object.entries(hidden.headers)) {
    if (value !== undefined) request.headers[header] = value;
  }
}

/** What never became a request for the app: no valid host, a path that is no path. */
function answerUnreadable(): Response {
  const { status, headers, body } = renderProblem(new AppError('bad_request', 'The request line or the Host header is not valid.'), 'none');
  return new Response(body, { status, headers });
}
