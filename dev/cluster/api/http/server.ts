/**
 * The API server's socket: 127.0.0.1, plain HTTP, tokens.
 *
 * @module
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Node } from '../../port.ts';
import type { ObjectStore } from '../object-store.ts';
import { badRequest, notImplemented, unauthorized } from '../status.ts';
import { createAuthenticator } from './authenticate.ts';
import { discover } from './discovery.ts';
import { createExecServer } from './exec.ts';
import { handleResource } from './handle.ts';
import { refuseUpgrade, sendError, sendJson, sendText, statusOf } from './respond.ts';
import { createPortForwardServer } from './port-forward.ts';
import { parseRoute } from './route.ts';

export interface ApiServerOptions {
  readonly objects: ObjectStore;
  /** Asked for at each use: the node may start after the server. */
  readonly node: () => Node;
  /** Any of these opens everything. */
  readonly tokens: readonly string[];
  /** 0, the default, takes a free port. */
  readonly port?: number;
  readonly now?: () => Date;
  /** Hears of failures that nobody foresaw, which were answered with 500. */
  readonly onError?: (error: unknown, request: string) => void;
}

export interface ApiServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Cuts all connections and resolves when the port is free. */
  close(): Promise<void>;
}

/** Commands travel in the query, so a request line may be this long, in bytes. */
const LONGEST_HEADERS = 1024 * 1024;

const OPEN_PATHS = new Set(['/healthz', '/livez', '/readyz']);

/** Starts listening. Rejects where the port is taken. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { objects, node, tokens, port = 0, now = () => new Date(), onError = () => undefined } = options;
  const authenticate = createAuthenticator(tokens);
  const streams = { exec: createExecServer(objects, node), portforward: createPortForwardServer(objects, node) };
  const server = createServer({ maxHeaderSize: LONGEST_HEADERS, keepAliveTimeout: 60_000, noDelay: true });
  server.on('request', (request, response) => {
    void answer(request, response).catch((error: unknown) => {
      if (statusOf(error).status.code === 500) onError(error, `${request.method} ${withoutToken(request)}`);
      sendError(response, error);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    try {
      const { pathname, searchParams: query } = urlOf(request);
      const { known, path } = authenticate(request.headers.authorization, pathname);
      if (!known) throw unauthorized();
      upgrade(streams, { request, socket, head, path, query });
    } catch (error) {
      refuseUpgrade(socket, error);
    }
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = urlOf(request);
    const { known, path } = authenticate(request.headers.authorization, pathname);
    if (OPEN_PATHS.has(path)) return sendText(response, 200, 'ok');
    if (!known) throw unauthorized();
    const route = parseRoute(path);
    if (route !== undefined) return handleResource({ objects, node, now, request, response, query }, route);
    const document = request.method === 'GET' ? discover(path, request.headers.host ?? '') : undefined;
    if (document === undefined) return sendText(response, 404, '404 page not found\n');
    sendJson(response, 200, JSON.stringify(document));
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      streams.exec.close();
      streams.portforward.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly path: string;
  readonly query: URLSearchParams;
}

type Streams = Readonly<Record<'exec' | 'portforward', Pick<ReturnType<typeof createExecServer>, 'upgrade'>>>;

function upgrade(streams: Streams, { request, socket, head, path, query }: Upgrade): void {
  socket.on('error', () => socket.destroy());
  const route = parseRoute(path);
  if (route?.subresource === undefined || route.name === undefined) throw badRequest('this path cannot be upgraded');
  if (route.subresource !== 'exec' && route.subresource !== 'portforward') throw notImplemented(`pods/${route.subresource}`);
  streams[route.subresource].upgrade(request, socket, head, { namespace: route.namespace, name: route.name }, query);
}

function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'http://127.0.0.1');
  } catch {
    throw badRequest('the request line is not a URL');
  }
}

/** The path for a log: no command, which is in the query, and no token. */
function withoutToken(request: IncomingMessage): string {
  return (request.url ?? '').split('?')[0]?.replace(/^\/token\/[^/]+/, '') ?? '';
}
