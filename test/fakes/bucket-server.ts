/**
 * As much of Cloud Storage's JSON API as buckets need, in memory: labels and IAM too, which its emulators leave out.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface FakeBucket {
  readonly labels: Readonly<Record<string, string>>;
  readonly objects: Map<string, string>;
  policy: { readonly bindings: readonly { readonly role: string; readonly members: readonly string[] }[] };
}

export interface BucketServer {
  readonly url: string;
  readonly buckets: ReadonlyMap<string, FakeBucket>;
  /** Answers every request so from now on; undefined: as a server that works. */
  failWith(status: number | undefined): void;
  /** Answers nothing until the function that this answers is called. */
  hold(): () => void;
  /** How many requests wait for an answer. */
  held(): number;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const notFound: Answer = { status: 404, body: { error: { code: 404, message: 'Not Found' } } };

export async function startBucketServer(): Promise<BucketServer> {
  const buckets = new Map<string, FakeBucket>();
  let failure: number | undefined;
  const server = createServer((request, response) => void serve(request, response));
  let held: PromiseWithResolvers<void> | undefined;
  let waiting = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    waiting += 1;
    await held?.promise;
    waiting -= 1;
    const { status, body: answer } =
      failure === undefined ? route(buckets, request, body) : { status: failure, body: { error: { code: failure, message: 'x' } } };
    response.writeHead(status, { 'content-type': 'application/json' }).end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    buckets,
    failWith: (status) => void (failure = status),
    hold: () => {
      const waits = (held = Promise.withResolvers<void>());
      return () => {
        held = undefined;
        waits.resolve();
      };
    },
    held: () => waiting,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function route(buckets: Map<string, FakeBucket>, { method = 'GET', url = '/' }: IncomingMessage, body: string): Answer {
  const { pathname, searchParams } = new URL(url, 'http://local');
  const [kind, name, part, object] = pathname
    .replace(/^(\/storage\/v1)?\//, '')
    .split('/')
    .map(decodeURIComponent);
  if (kind !== 'b') return notFound;
  if (name === undefined || name === '') return create(buckets, JSON.parse(body) as NewBucket);
  const bucket = buckets.get(name);
  if (bucket === undefined) return notFound;
  if (part === 'iam') {
    if (method === 'PUT') bucket.policy = JSON.parse(body) as FakeBucket['policy'];
    return { status: 200, body: { etag: 'e', ...bucket.policy } };
  }
  if (part === 'o') return objects(bucket, method, object, searchParams);
  if (method === 'DELETE') {
    if (bucket.objects.size > 0) return { status: 409, body: { error: { code: 409, message: 'not empty' } } };
    buckets.delete(name);
    return { status: 204, body: '' };
  }
  return { status: 200, body: { name, labels: bucket.labels, projectNumber: '42' } };
}

interface NewBucket {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function create(buckets: Map<string, FakeBucket>, { name, labels = {} }: NewBucket): Answer {
  if (buckets.has(name)) return { status: 409, body: { error: { code: 409, message: 'exists' } } };
  buckets.set(name, { labels, objects: new Map(), policy: { bindings: [] } });
  return { status: 200, body: { name, labels } };
}

function objects(bucket: FakeBucket, method: string, name: string | undefined, query: URLSearchParams): Answer {
  const describe = (object: string): object => ({
    name: object,
    size: String(bucket.objects.get(object)?.length ?? 0),
    updated: '2026-03-01T12:00:00Z',
  });
  if (name === undefined) {
    const names = [...bucket.objects.keys()].filter((object) => object.startsWith(query.get('prefix') ?? '')).toSorted();
    return { status: 200, body: { items: names.slice(0, Number(query.get('maxResults') ?? 1000)).map(describe) } };
  }
  const content = bucket.objects.get(name);
  if (content === undefined) return notFound;
  if (method === 'DELETE') bucket.objects.delete(name);
  if (method === 'DELETE') return { status: 204, body: '' };
  return { status: 200, body: query.get('alt') === 'media' ? content : describe(name) };
}
