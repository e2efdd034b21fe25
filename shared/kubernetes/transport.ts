/**
 * HTTP to the API server: one dispatcher that keeps its connections, our credentials on every request, a bound on every wait.
 * The library by itself makes a new agent, and so a new TLS handshake, for each request.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import { Agent, request as send, type Dispatcher } from 'undici';
import type { ClusterEndpoint } from './access.ts';
import { KubernetesUnreachable } from './errors.ts';

export interface TransportOptions {
  /** See every request and answer: tests count writes and inject faults with them. */
  readonly interceptors?: readonly Dispatcher.DispatcherComposeInterceptor[];
}

export interface TransportRequest {
  readonly method: string;
  /** Path and query, without the server. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface TransportAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Transport {
  readonly endpoint: ClusterEndpoint;
  /** The whole answer, within `timeoutMs`; any status. Throws `KubernetesUnreachable`, or the signal's reason where that is aborted. */
  fetch(request: TransportRequest, timeoutMs: number): Promise<TransportAnswer>;
  /** The answer as it comes. Its headers come within 30 s, and its body never pauses for longer than `silenceMs`. */
  open(request: TransportRequest, silenceMs: number): Promise<Dispatcher.ResponseData>;
  close(): Promise<void>;
}

// Each open watch holds one connection; 256 is three times what one instance of Cloud Run serves at once.
const CONNECTIONS = 256;
const CONNECT_TIMEOUT_MS = 5_000;
const HEADERS_TIMEOUT_MS = 30_000;
// Below the 90 s after which the API server closes idle connections, so that requests do not meet a closing one.
const IDLE_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export function createTransport(endpoint: ClusterEndpoint, options: TransportOptions = {}): Transport {
  const agent = new Agent({
    connections: CONNECTIONS,
    keepAliveTimeout: IDLE_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    allowH2: false,
    connect: { ...endpoint.tls, timeout: CONNECT_TIMEOUT_MS, keepAliveInitialDelay: 15_000 },
  });
  const dispatcher = agent.compose(...(options.interceptors ?? []));

  const open = async (request: TransportRequest, silenceMs: number, retried = false): Promise<Dispatcher.ResponseData> => {
    const { method, path, headers, body, signal } = request;
    signal?.throwIfAborted();
    const credentials = await endpoint.headers().catch((error: unknown) => {
      throw new KubernetesUnreachable('No credentials for the Kubernetes API could be had.', { cause: error });
    });
    const answer = await send(`${endpoint.server}${path}`, {
      dispatcher,
      method,
      headers: { 'user-agent': 'berth', ...headers, ...credentials },
      bodyTimeout: silenceMs,
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    });
    if (answer.statusCode !== 401 || retried) return answer;
    // Refused before anything was done, so any verb may be sent again, once, with fresh credentials.
    await answer.body.dump();
    endpoint.expireHeaders();
    return open(request, silenceMs, true);
  };

  return {
    endpoint,
    open: (request, silenceMs) => open(request, silenceMs).catch((error: unknown) => rethrow(error, request.signal)),
    fetch: async (request, timeoutMs) => {
      using deadline = startDeadline(timeoutMs, request.signal);
      const { signal } = deadline;
      const attempt = async (): Promise<TransportAnswer> => readAnswer(await open({ ...request, signal }, timeoutMs));
      return await attempt()
        .catch((error: unknown) => (request.method === 'GET' && wasCut(error) ? attempt() : Promise.reject(asError(error))))
        .catch((error: unknown) => rethrow(error, request.signal));
    },
    close: () => agent.destroy(),
  };
}

async function readAnswer(answer: Dispatcher.ResponseData): Promise<TransportAnswer> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES)
      throw new KubernetesUnreachable(`An answer of the Kubernetes API is larger than ${String(MAX_ANSWER_BYTES)} bytes.`);
    chunks.push(chunk);
  }
  return { status: answer.statusCode, headers, body: Buffer.concat(chunks) };
}

// A kept connection that the server (or a frozen instance's network) has closed meanwhile. Reading again is safe; writing again may not be.
function wasCut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(String(error.code));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function rethrow(error: unknown, signal: AbortSignal | undefined): never {
  if (signal?.aborted === true) throw signal.reason;
  if (error instanceof KubernetesUnreachable) throw error;
  throw new KubernetesUnreachable('The Kubernetes API could not be reached or did not answer in time.', { cause: error });
}
