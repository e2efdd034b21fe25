/**
 * A helper in this process that speaks enough of `helper/PROTOCOL.md` to try the client against: over pairs of streams that can be cut
 * after any number of bytes. Its commands are made up (`count`, `cat`, `hang`), their output is what `expectedOutput` says.
 */
import { constants, createServer, type ServerHttp2Stream } from 'node:http2';
import { duplexPair, type Duplex } from 'node:stream';
import { AppError } from '../../shared/errors/app-error.ts';

export interface FakeHelperOptions {
  readonly protocol?: number;
  readonly bootId?: string;
}

export interface Cut {
  /** After this many bytes from the helper. */
  readonly afterReceived?: number;
  /** After this many bytes to the helper. */
  readonly afterSent?: number;
}

export interface FakeHelper {
  /** The client's end of a new connection. */
  connect(cut?: Cut): Duplex;
  /** Ids with how often each was run: never more than once. */
  readonly runs: ReadonlyMap<string, number>;
  /** What happened to streams, in order: `cancelled x1`, `deleted x1`, `reset /big`. */
  readonly events: readonly string[];
  /** How many bytes of `GET /big` the client has taken. */
  readonly sentBytes: () => number;
  readonly connections: () => number;
  readonly requests: () => number;
  /** From now on nothing passes over its connections, which stay open. */
  freeze(): void;
  stop(): void;
}

/** What a caller gets to see of a failure. */
export function codeOf(error: unknown): string {
  return error instanceof AppError ? error.code : String(error);
}

export function record(type: 1 | 2 | 3, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(5);
  header.writeUInt8(type, 0);
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

export function event(value: object): Buffer {
  return record(3, JSON.stringify(value));
}

/** What `count <bytes>` prints: every position can be told from its neighbours. */
export function expectedOutput(bytes: number, seed = 0): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 7 + (index >> 8) + seed) & 0xff));
}

interface Run {
  readonly stdout: Buffer[];
  readonly stderr: Buffer[];
  inputBytes: number;
  inputEnded: boolean;
  ended: boolean;
  readonly argv: readonly string[];
  wake: () => void;
}

export function startFakeHelper({ protocol = 3, bootId = 'boot-1' }: FakeHelperOptions = {}): FakeHelper {
  return new Fake(protocol, bootId);
}

class Fake implements FakeHelper {
  readonly runs = new Map<string, number>();
  readonly events: string[] = [];
  readonly #known = new Map<string, Run>();
  readonly #server = createServer({ settings: { initialWindowSize: 256 * 1024, maxConcurrentStreams: 250 } });
  readonly #streams = new Set<Duplex>();
  readonly #health: object;
  #sent = 0;
  #connections = 0;
  #requests = 0;
  #frozen = false;

  constructor(protocol: number, bootId: string) {
    this.#health = { protocol, version: 'fake', started_at: '2026-01-01T00:00:00Z', pid: 1, boot_id: bootId };
    this.#server.on('session', (session) => session.on('error', () => undefined));
    this.#server.on('stream', (stream, headers) => {
      this.#requests += 1;
      stream.on('error', () => undefined);
      if (stream.destroyed) return;
      const { session } = stream;
      stream.once('close', () => {
        // A stream that is reset ends its command; a connection that is lost does not.
        const [, kind = '', id = ''] = String(headers[':path']).split(/[/?]/);
        if (stream.rstCode === constants.NGHTTP2_CANCEL && session?.destroyed === false) this.#reset(kind, id);
      });
      void this.#answer(stream, String(headers[':method']), new URL(String(headers[':path']), 'http://h'), headers).catch(() => undefined);
    });
  }

  sentBytes = (): number => this.#sent;
  connections = (): number => this.#connections;
  requests = (): number => this.#requests;

  connect(cut: Cut = {}): Duplex {
    const [client, near] = duplexPair();
    const [far, server] = duplexPair();
    const all = [client, near, far, server];
    const end = (): void => all.forEach((each) => each.destroy());
    for (const each of all) {
      this.#streams.add(each);
      each.on('error', end);
      each.on('close', end);
    }
    pump(far, near, cut.afterReceived ?? Infinity, end, () => this.#frozen);
    pump(near, far, cut.afterSent ?? Infinity, end, () => this.#frozen);
    this.#connections += 1;
    this.#server.emit('connection', server);
    return client;
  }

  freeze(): void {
    this.#frozen = true;
  }

  stop(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#server.close();
  }

  async #answer(stream: ServerHttp2Stream, method: string, url: URL, headers: Readonly<Record<string, unknown>>): Promise<void> {
    const [, kind = '', id = ''] = url.pathname.split('/');
    if (kind === 'health') return json(stream, 200, this.#health);
    if (kind === 'big') return this.#big(stream, Number(url.searchParams.get('bytes')));
    if (kind === 'silent') return;
    if (kind === 'problem') return json(stream, Number(id), { code: url.searchParams.get('code'), detail: url.searchParams.get('detail') });
    if (kind === 'echo') {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
      return;
    }
    if (kind === 'executions' && method === 'DELETE') {
      this.events.push(`deleted ${id}`);
      const run = this.#known.get(id);
      if (run !== undefined) run.ended = true;
      return json(stream, run === undefined ? 404 : 200, run === undefined ? { code: 'not_found' } : {});
    }
    if (kind === 'executions') return this.#execute(stream, id, url, Number(headers['berth-spec-bytes']));
    json(stream, 404, { code: 'not_found', detail: 'no such path' });
  }

  #reset(kind: string, id: string): void {
    if (kind !== 'executions') this.events.push(`reset /${kind}`);
    const run = this.#known.get(id);
    if (run === undefined || run.ended) return;
    this.events.push(`cancelled ${id}`);
    run.ended = true;
  }

  #big(stream: ServerHttp2Stream, bytes: number): void {
    stream.respond({ ':status': 200 });
    const chunk = Buffer.alloc(64 * 1024);
    let left = bytes;
    const write = (): void => {
      while (left > 0) {
        const part = chunk.subarray(0, Math.min(left, chunk.length));
        left -= part.length;
        const more = stream.write(part, () => {
          this.#sent += part.length;
        });
        if (!more) return void stream.once('drain', write);
      }
      stream.end();
    };
    write();
  }

  async #execute(stream: ServerHttp2Stream, id: string, url: URL, specBytes: number): Promise<void> {
    const body = await readSpec(stream, specBytes);
    if (body === undefined) return;
    let run = this.#known.get(id);
    if (run === undefined) {
      const { argv } = JSON.parse(body.spec) as { argv: readonly string[] };
      run = { stdout: [], stderr: [], inputBytes: 0, inputEnded: false, ended: false, argv, wake: () => undefined };
      this.#known.set(id, run);
      this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
    }
    feed(run, stream, body.rest);
    stream.respond({ ':status': 200, 'content-type': 'application/vnd.berth.records' });
    await send(run, stream, Number(url.searchParams.get('stdout')), Number(url.searchParams.get('stderr')));
  }
}

/** A repeat of a request repeats its input; the command has part of it already. */
function feed(run: Run, stream: ServerHttp2Stream, first: Buffer): void {
  const { session } = stream;
  let skip = run.inputBytes;
  const take = (chunk: Buffer): void => {
    const fresh = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - fresh.length;
    run.inputBytes += fresh.length;
    if (run.argv[0] === 'cat') run.stdout.push(fresh);
    run.wake();
  };
  take(first);
  stream.on('data', take);
  stream.on('end', () => {
    // Node ends the body of a stream that was reset or lost, too.
    if (stream.aborted || stream.destroyed || stream.rstCode !== constants.NGHTTP2_NO_ERROR || session?.destroyed !== false) return;
    run.inputEnded = true;
    run.wake();
  });
}

async function send(run: Run, stream: ServerHttp2Stream, stdout: number, stderr: number): Promise<void> {
  const at = { stdout, stderr };
  const write = async (bytes: Buffer): Promise<void> => {
    if (!stream.write(bytes)) await new Promise((resolve) => void stream.once('drain', resolve).once('close', resolve));
  };
  if (run.argv[0] === 'count' && run.stdout.length === 0) {
    run.stdout.push(expectedOutput(Number(run.argv[1])));
    run.stderr.push(expectedOutput(Number(run.argv[2] ?? 0), 1));
  }
  stream.once('close', () => run.wake());
  await write(event({ event: 'started', pid: 42 }));
  for (;;) {
    for (const [name, type] of [['stdout', 1] as const, ['stderr', 2] as const]) {
      const all = Buffer.concat(run[name]);
      for (; at[name] < all.length;) {
        const part = all.subarray(at[name], at[name] + 3000);
        at[name] += part.length;
        await write(record(type, part));
      }
    }
    if (stream.destroyed) return;
    if (run.argv[0] === 'count' || (run.argv[0] === 'cat' && run.inputEnded) || run.ended) break;
    await new Promise<void>((resolve) => {
      run.wake = resolve;
    });
  }
  run.ended = true;
  stream.end(
    event({
      event: 'end',
      end: 'exited',
      exit_code: 0,
      signal: null,
      duration_ms: 1,
      stdout_bytes: at.stdout,
      stderr_bytes: at.stderr,
      message: null,
    }),
  );
}

async function readSpec(stream: ServerHttp2Stream, bytes: number): Promise<{ readonly spec: string; readonly rest: Buffer } | undefined> {
  let received = Buffer.alloc(0);
  while (received.length < bytes) {
    const chunk = stream.read() as Buffer | null;
    if (chunk !== null) received = Buffer.concat([received, chunk]);
    else if (stream.destroyed || stream.readableEnded) return undefined;
    else await new Promise((resolve) => void stream.once('readable', resolve).once('close', resolve).once('end', resolve));
  }
  stream.removeAllListeners('readable');
  return { spec: received.subarray(0, bytes).toString(), rest: received.subarray(bytes) };
}

function json(stream: ServerHttp2Stream, status: number, value: object): void {
  stream.respond({ ':status': status, 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
  stream.end(JSON.stringify(value));
}

/** Copies with backpressure, and cuts after so many bytes. */
function pump(from: Duplex, to: Duplex, limit: number, cut: () => void, frozen: () => boolean): void {
  let left = limit;
  from.on('data', (chunk: Buffer) => {
    if (frozen()) return;
    const part = chunk.subarray(0, Math.min(left, chunk.length));
    left -= part.length;
    if (part.length > 0 && !to.write(part)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
    // What was passed on arrives before the end does.
    if (left === 0) setImmediate(cut);
  });
}
