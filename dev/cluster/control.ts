/**
 * How `npm start` and the embedded cluster's process hold on to one another.
 *
 * The cluster lives as long as somebody holds its lifeline (an open request); when nobody has for a minute, it ends with its pods. So a
 * service that is killed and started again finds its sessions running, and one that is gone for good leaves nothing behind.
 *
 * @module
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

const ADOPTION_MS = 60_000;
/** Of the lifeline's answer: which cluster holds on. */
export const INSTANCE_HEADER = 'berth-cluster-instance';

export interface ControlOptions {
  readonly token: string;
  /** Proves to whoever holds on that this is the cluster of `endpoint.json`. */
  readonly instance: string;
  /** Called once: nobody holds the lifeline any more, or somebody asked for the end. Resolves when every pod's processes are gone. */
  readonly onEnd: (reason: 'asked' | 'abandoned') => Promise<void>;
}

function authorised(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Answers `GET /lifeline` (stays open; 503 once it is ending) and `POST /end` (answers when all is gone) on 127.0.0.1. */
export function createControlServer({ token, instance, onEnd }: ControlOptions): Server {
  let holders = 0;
  let ending: Promise<void> | undefined;
  const end = (reason: 'asked' | 'abandoned'): Promise<void> => (ending ??= onEnd(reason));
  let abandoned = setTimeout(() => void end('abandoned'), ADOPTION_MS);
  const hold = (response: ServerResponse): void => {
    if (ending !== undefined) return void response.writeHead(503).end();
    holders += 1;
    clearTimeout(abandoned);
    response.writeHead(200, { [INSTANCE_HEADER]: instance }).flushHeaders();
    response.on('close', () => {
      holders -= 1;
      if (holders === 0) abandoned = setTimeout(() => void end('abandoned'), ADOPTION_MS);
    });
  };
  const server = createServer((request, response) => {
    if (!authorised(request, token)) response.writeHead(401).end();
    else if (request.method === 'GET' && request.url === '/lifeline') hold(response);
    else if (request.method === 'POST' && request.url === '/end') void end('asked').then(() => response.writeHead(204).end());
    else response.writeHead(404).end();
  });
  server.requestTimeout = 0;
  server.timeout = 0;
  return server;
}
