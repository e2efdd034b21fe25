/**
 * A watch that goes on by itself: over connections that the server closes (it closes every one, and slow ones early), over resets,
 * over silence, and over 410 Gone, when the server has forgotten where we were
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { startDeadline } from '../deadline.ts';
import { KubernetesError, KubernetesUnreachable, parseStatus, type KubernetesStatus } from './errors.ts';
import { parseJsonLines } from './json-lines.ts';
import type { ChangeEvent, ChangesOptions, WatchEvent, WatchOptions } from './port.ts';
import type { Transport } from './transport.ts';

export interface WatchTimes {
  /** After which the server ends one request of the watch; it is spread over half of that again. */
  readonly serverTimeoutSeconds: number;
  /** Without a byte for so long, the connection is taken for dead. Bookmarks come about every minute. */
  readonly silenceMs: number;
  readonly firstBackoffMs: number;
  readonly longestBackoffMs: number;
}

const defaults: WatchTimes = { serverTimeoutSeconds: 240, silenceMs: 90_000, firstBackoffMs: 100, longestBackoffMs: 15_000 };
const PAGE = 500;
const LIST_TIMEOUT_MS = 30_000;
// An object may be 1.5 MiB in etcd; as JSON it can be twice that.
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const LASTED_MS = 5_000;

const WatchLine = z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']), object: z.unknown() });
const Versioned = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const ListAnswer = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
});

/**
 * The collection's changes until the signal aborts, which ends it without an error. At least once and in order. Each present state (at
 * the start without a version, and after `RESTARTED`) is closed by a `BOOKMARK`.
 *
 * @throws {KubernetesError} where the server refuses for good: 400, 401, 403, 404. Everything else is tried again, with backoff.
 */
export async function* watchCollection<T extends KubernetesObject>(
  transport: Transport,
  options: WatchOptions,
  times: WatchTimes = defaults,
): AsyncGenerator<WatchEvent<T>, void, void> {
  const { signal } = options;
  let version = options.resourceVersion;
  let failures = 0;
  while (!signal.aborted) {
    const begun = performance.now();
    let retryAfterMs = 0;
    try {
      if (version === undefined) {
        for await (const event of listPresent<T>(transport, options)) {
          if (event.type === 'BOOKMARK') version = event.resourceVersion;
          yield event;
        }
        continue;
      }
      const seconds = Math.round(times.serverTimeoutSeconds * (1 + Math.random() / 2));
      for await (const { event, resourceVersion } of watchOnce<T>(transport, options, version, seconds, times.silenceMs)) {
        version = resourceVersion;
        yield event;
      }
    } catch (error) {
      if (signal.aborted) return;
      const status = error instanceof KubernetesError ? error.status : undefined;
      if (status?.code === 410) {
        version = undefined;
        yield { type: 'RESTARTED' };
      } else if (isRefusedForGood(status)) throw error;
      retryAfterMs = (status?.retryAfterSeconds ?? 0) * 1_000;
    }
    // A connection that has lasted is no failure, however it ended.
    failures = performance.now() - begun > LASTED_MS ? 0 : failures + 1;
    await pause(Math.max(retryAfterMs, backoffMs(failures, times)), signal);
  }
}

/** A server that says nothing any more is given up a little after it should have ended the request. */
const CHANGES_GRACE_MS = 5_000;

/**
 * The changes since a version, in one request that the server ends after `seconds`. Two seconds before, it sends a bookmark, if what it
 * has seen is newer than what it has told; without one, the version of the last event is where to go on.
 *
 * @throws {KubernetesError} where the server refuses, and 410 where it has forgotten the version; {KubernetesUnreachable}.
 */
export async function* readChanges<T extends KubernetesObject>(
  transport: Transport,
  { seconds, resourceVersion, signal, ...collection }: ChangesOptions,
): AsyncGenerator<ChangeEvent<T>, void, void> {
  const limitMs = seconds * 1_000 + CHANGES_GRACE_MS;
  using deadline = startDeadline(limitMs, signal);
  const options = { ...collection, signal: deadline.signal };
  try {
    for await (const { event } of watchOnce<T>(transport, options, resourceVersion, seconds, limitMs)) yield event;
  } catch (error) {
    if (signal?.aborted === true || error instanceof KubernetesError || error instanceof KubernetesUnreachable) throw error;
    throw new KubernetesUnreachable('The changes could not be read to their end.', { cause: error });
  }
}

async function* listPresent<T extends KubernetesObject>(
  transport: Transport,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, void> {
  let next: string | undefined;
  do {
    const query = queryOf(options, { limit: String(PAGE), ...(next !== undefined && { continue: next }) });
    const answer = await transport.fetch({ method: 'GET', path: `${options.path}?${query}`, signal: options.signal }, LIST_TIMEOUT_MS);
    const body = answer.body.toString();
    if (answer.status !== 200) throw new KubernetesError(parseStatus(answer.status, body, answer.headers['retry-after']));
    const { metadata, items } = ListAnswer.parse(JSON.parse(body));
    for (const object of items ?? []) yield { type: 'ADDED', object: object as T };
    next = metadata.continue === '' ? undefined : metadata.continue;
    if (next === undefined) yield { type: 'BOOKMARK', resourceVersion: metadata.resourceVersion };
  } while (next !== undefined);
}

async function* watchOnce<T extends KubernetesObject>(
  transport: Transport,
  options: WatchOptions,
  version: string,
  seconds: number,
  silenceMs: number,
): AsyncGenerator<{ event: ChangeEvent<T>; resourceVersion: string }, void, void> {
  const timeoutSeconds = String(seconds);
  const query = queryOf(options, { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds });
  const answer = await transport.open({ method: 'GET', path: `${options.path}?${query}`, signal: options.signal }, silenceMs);
  if (answer.statusCode !== 200) {
    const retryAfter = answer.headers['retry-after'];
    throw new KubernetesError(
      parseStatus(answer.statusCode, await answer.body.text(), typeof retryAfter === 'string' ? retryAfter : undefined),
    );
  }
  for await (const line of parseJsonLines(answer.body as AsyncIterable<Buffer>, MAX_LINE_BYTES)) {
    const { type, object } = WatchLine.parse(line);
    if (type === 'ERROR') throw streamError(JSON.stringify(object));
    const { resourceVersion } = Versioned.parse(object).metadata;
    if (type === 'BOOKMARK') yield { event: { type, resourceVersion }, resourceVersion };
    else yield { event: { type, object: object as T }, resourceVersion };
  }
}

// Only 410 says something about us. Whatever else breaks an open watch is the server's own trouble, and the next request tells.
function streamError(body: string): Error {
  const status = parseStatus(0, body);
  const gone = status.reason === 'Expired' || status.reason === 'Gone' || codeOf(body) === 410;
  return gone ? new KubernetesError({ ...status, code: 410 }) : new KubernetesUnreachable(`The watch was broken off: ${status.message}`);
}

function codeOf(body: string): number | undefined {
  return z.object({ code: z.number() }).safeParse(JSON.parse(body)).data?.code;
}

function isRefusedForGood(status: KubernetesStatus | undefined): boolean {
  return status !== undefined && status.code >= 400 && status.code < 500 && ![408, 429].includes(status.code);
}

function queryOf(options: WatchOptions, parameters: Record<string, string>): string {
  const query = new URLSearchParams(parameters);
  if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector);
  return query.toString();
}

// At once the first time (servers close watches as a matter of course), then doubled, with jitter, to the cap.
function backoffMs(failures: number, { firstBackoffMs, longestBackoffMs }: WatchTimes): number {
  if (failures < 2) return 0;
  return Math.min(longestBackoffMs, firstBackoffMs * 2 ** (failures - 2)) * (0.5 + Math.random() / 2);
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds > 0) await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}
