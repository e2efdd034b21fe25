import type { IncomingMessage, ServerResponse } from 'node:http';
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { KubernetesError } from '../../../shared/kubernetes/errors.ts';
import type { WatchEvent, WatchOptions } from '../../../shared/kubernetes/port.ts';
import { createTransport } from '../../../shared/kubernetes/transport.ts';
import { watchCollection, type WatchTimes } from '../../../shared/kubernetes/watch.ts';
import { settled, startKubeServer, type KubeServer } from '../../fakes/kube-server.ts';

const times: WatchTimes = { serverTimeoutSeconds: 60, silenceMs: 5_000, firstBackoffMs: 2, longestBackoffMs: 10 };

type Reply = (response: ServerResponse, url: URL) => void;

interface Played {
  readonly server: KubeServer;
  readonly requests: URL[];
}

/** Answers each request by the next reply of the script; the last one answers all that follow. */
async function play(...script: Reply[]): Promise<Played> {
  const requests: URL[] = [];
  const server = await startKubeServer({
    onRequest: (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url ?? '', 'http://x');
      requests.push(url);
      script[Math.min(requests.length, script.length) - 1]?.(response, url);
    },
  });
  return { server, requests };
}

const pod = (name: string, resourceVersion: string): V1Pod => ({ metadata: { name, resourceVersion } });
const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const bookmark = (resourceVersion: string): string => line('BOOKMARK', { metadata: { resourceVersion } });
const gone = { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old resource version' };

const list =
  (resourceVersion: string, items: V1Pod[], next?: string): Reply =>
  (response) =>
    void response.end(JSON.stringify({ metadata: { resourceVersion, ...(next !== undefined && { continue: next }) }, items }));
const stream =
  (...lines: string[]): Reply =>
  (response) =>
    void response.end(lines.join(''));
const hang =
  (...lines: string[]): Reply =>
  (response) =>
    void response.write(lines.join('') || '\n');
const status =
  (code: number, body: object = {}, headers = {}): Reply =>
  (response) =>
    void response.writeHead(code, headers).end(JSON.stringify(body));
const cut =
  (...lines: string[]): Reply =>
  (response) =>
    void response.write(lines.join(''), () => response.destroy());

/** The first `count` events, said shortly. */
async function take(
  server: KubeServer,
  count: number,
  options: Partial<WatchOptions> = {},
  shorter: Partial<WatchTimes> = {},
): Promise<string[]> {
  const abort = new AbortController();
  const transport = createTransport(server.endpoint);
  const said: string[] = [];
  for await (const event of watchCollection<V1Pod>(
    transport,
    { path: '/api/v1/pods', signal: AbortSignal.any([abort.signal, AbortSignal.timeout(4_000)]), ...options },
    { ...times, ...shorter },
  )) {
    said.push(say(event));
    if (said.length === count) abort.abort();
  }
  await transport.close();
  return said;
}

function say(event: WatchEvent<V1Pod>): string {
  if (event.type === 'RESTARTED') return event.type;
  return event.type === 'BOOKMARK' ? `BOOKMARK ${event.resourceVersion}` : `${event.type} ${event.object.metadata?.name ?? ''}`;
}

describe('without a version', () => {
  test('the present state comes first, closed by a bookmark, and then what changes', async () => {
    const { server, requests } = await play(list('7', [pod('a', '3'), pod('b', '5')]), hang(line('ADDED', pod('c', '8'))));
    await using _server = server;
    expect(await take(server, 4, { labelSelector: 'x=y', fieldSelector: 'metadata.name=a' })).toEqual([
      'ADDED a',
      'ADDED b',
      'BOOKMARK 7',
      'ADDED c',
    ]);
    expect(Object.fromEntries(requests[0]?.searchParams ?? [])).toEqual({
      limit: '500',
      labelSelector: 'x=y',
      fieldSelector: 'metadata.name=a',
    });
    const { timeoutSeconds, ...rest } = Object.fromEntries(requests[1]?.searchParams ?? []);
    expect(timeoutSeconds).toMatch(/^[6-9]\d$/);
    expect(rest).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '7',
      labelSelector: 'x=y',
      fieldSelector: 'metadata.name=a',
    });
  });

  test('a large state is read page by page', async () => {
    const { server, requests } = await play(list('7', [pod('a', '3')], 'more'), list('7', [pod('b', '5')]), hang());
    await using _server = server;
    expect(await take(server, 3)).toEqual(['ADDED a', 'ADDED b', 'BOOKMARK 7']);
    expect(requests[1]?.searchParams.get('continue')).toBe('more');
  });

  test('a state that breaks off in the middle is read again, and never watched from half of it', async () => {
    const { server, requests } = await play(list('7', [pod('a', '3')], 'more'), status(500), list('9', [pod('a', '3')]), hang());
    await using _server = server;
    expect(await take(server, 3)).toEqual(['ADDED a', 'ADDED a', 'BOOKMARK 9']);
    expect(requests[2]?.searchParams.has('continue')).toBe(false);
  });

  test('an empty collection may have no items at all', async () => {
    const { server } = await play((response) => void response.end('{"metadata":{"resourceVersion":"7"},"items":null}'), hang());
    await using _server = server;
    expect(await take(server, 1)).toEqual(['BOOKMARK 7']);
  });
});

describe('a watch goes on', () => {
  test.each<[string, Reply]>([
    ['the server ends it', stream(line('ADDED', pod('a', '11')))],
    ['the connection is cut', cut(line('ADDED', pod('a', '11')))],
    ['the connection is cut within a line', cut(line('ADDED', pod('a', '11')), '{"type":"ADD')],
    ['the server sends garbage', hang(line('ADDED', pod('a', '11')), '<html>\n')],
    ['the server sends an object without a version', hang(line('ADDED', pod('a', '11')), line('ADDED', {}))],
    ['the server breaks it off with an error', stream(line('ADDED', pod('a', '11')), line('ERROR', { code: 500, message: 'etcd' }))],
  ])('when %s, from where it was', async (_what, first) => {
    const { server, requests } = await play(first, hang(line('MODIFIED', pod('a', '12'))));
    await using _server = server;
    expect(await take(server, 2, { resourceVersion: '10' })).toEqual(['ADDED a', 'MODIFIED a']);
    expect(requests.map((url) => url.searchParams.get('resourceVersion'))).toEqual(['10', '11']);
  });

  test('from the last bookmark', async () => {
    const { server, requests } = await play(stream(bookmark('99')), hang(line('ADDED', pod('a', '100'))));
    await using _server = server;
    expect(await take(server, 2, { resourceVersion: '10' })).toEqual(['BOOKMARK 99', 'ADDED a']);
    expect(requests[1]?.searchParams.get('resourceVersion')).toBe('99');
  });

  test('when the server falls silent', async () => {
    const { server, requests } = await play(hang(), hang(line('ADDED', pod('a', '11'))));
    await using _server = server;
    expect(await take(server, 1, { resourceVersion: '10' }, { silenceMs: 50 })).toEqual(['ADDED a']);
    expect(requests).toHaveLength(2);
  });

  test.each([408, 429, 500, 503])('when the server answers %i', async (code) => {
    const { server } = await play(status(code), status(code), hang(line('ADDED', pod('a', '11'))));
    await using _server = server;
    expect(await take(server, 1, { resourceVersion: '10' })).toEqual(['ADDED a']);
  });

  test('no sooner than the server has asked for', async () => {
    const { server } = await play(status(429, {}, { 'retry-after': '1' }), hang(line('ADDED', pod('a', '11'))));
    await using _server = server;
    const begun = performance.now();
    await take(server, 1, { resourceVersion: '10' });
    expect(performance.now() - begun).toBeGreaterThan(990);
  });

  test('with ever longer pauses where the server ends it at once every time', async () => {
    const { server, requests } = await play(stream());
    await using _server = server;
    await take(server, 1, { resourceVersion: '10', signal: AbortSignal.timeout(400) }, { firstBackoffMs: 20, longestBackoffMs: 10_000 });
    expect(requests.length).toBeGreaterThan(2);
    expect(requests.length).toBeLessThan(10);
  });
});

describe('a version that the server has forgotten', () => {
  test.each<[string, Reply]>([
    ['as the answer', status(410, gone)],
    ['in the stream', stream(line('ERROR', gone))],
    ['in the stream, by its reason alone', stream(line('ERROR', { reason: 'Expired', message: 'x' }))],
  ])('starts the watch over: %s', async (_what, forgotten) => {
    const { server } = await play(forgotten, list('50', [pod('a', '20')]), hang(line('DELETED', pod('a', '51'))));
    await using _server = server;
    expect(await take(server, 4, { resourceVersion: '10' })).toEqual(['RESTARTED', 'ADDED a', 'BOOKMARK 50', 'DELETED a']);
  });

  test('while a state is being read starts over, too', async () => {
    const { server } = await play(list('7', [pod('a', '3')], 'more'), status(410, gone), list('9', []), hang());
    await using _server = server;
    expect(await take(server, 3)).toEqual(['ADDED a', 'RESTARTED', 'BOOKMARK 9']);
  });
});

describe('a watch ends', () => {
  test.each([400, 401, 403, 404])('with an error where the server refuses for good: %i', async (code) => {
    const { server } = await play(status(code, { reason: 'R', message: 'words' }));
    await using _server = server;
    const error: unknown = await take(server, 1, { resourceVersion: '10' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(KubernetesError);
    expect((error as KubernetesError).status).toMatchObject({ code, message: 'words' });
  });

  test.each<[string, Reply]>([
    ['it is silent', hang()],
    ['it refuses to answer', () => undefined],
    ['it always fails', status(500)],
  ])('silently when the caller gives up while %s', async (_what, reply) => {
    const { server } = await play(reply);
    await using _server = server;
    expect(await take(server, 1, { resourceVersion: '10', signal: AbortSignal.timeout(100) })).toEqual([]);
  });

  test('and closes its connection when nobody reads on', async () => {
    let closed = false;
    const { server } = await play((response) => {
      response.on('close', () => (closed = true));
      response.write(line('ADDED', pod('a', '11')));
    });
    await using _server = server;
    const transport = createTransport(server.endpoint);
    for await (const _event of watchCollection(
      transport,
      { path: '/api/v1/pods', resourceVersion: '10', signal: AbortSignal.timeout(4_000) },
      times,
    ))
      break;
    await expect.poll(() => closed).toBe(true);
    await transport.close();
  });
});

test('a slow consumer holds the server up, and memory stays flat', async () => {
  let sent = 0;
  const padded = line('MODIFIED', { metadata: { name: 'a', resourceVersion: '11', annotations: { x: 'y'.repeat(64 * 1024) } } });
  const { server } = await play((response) => {
    const produce = (): void => {
      while (sent < 100 * 1024 * 1024) {
        sent += padded.length;
        if (!response.write(padded)) return void response.once('drain', produce);
      }
    };
    produce();
  });
  await using _server = server;
  const transport = createTransport(server.endpoint);
  for await (const _event of watchCollection(
    transport,
    { path: '/api/v1/pods', resourceVersion: '10', signal: AbortSignal.timeout(8_000) },
    times,
  )) {
    expect(await settled(() => sent)).toBeLessThan(20 * 1024 * 1024);
    break;
  }
  await transport.close();
});
