/**
 * Terminals: the helper holds them and their output, any process attaches by offset.
 *
 * @module
 */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { idSegment, jsonBody, withQuery, type Caller } from './client-request.ts';
import {
  terminalEventSchema,
  terminalMadeSchema,
  terminalSchema,
  terminalsSchema,
  type AttachMode,
  type TerminalEvent,
  type TerminalStatus,
} from './protocol.ts';
import { readRecords } from './records.ts';

export interface TerminalSpec {
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cols: number;
  readonly rows: number;
  readonly ringBytes?: number;
}

export interface AttachOptions {
  /** Who attaches; the writer's name in `resize` and `takeover`. */
  readonly client: string;
  /** The first byte wanted; the oldest one that is kept where it is absent. */
  readonly since?: number;
  readonly mode: AttachMode;
  readonly signal: AbortSignal;
}

export type TerminalRecord = { readonly event: 'output'; readonly bytes: Buffer } | TerminalEvent;

export interface Attachment {
  /** To be read once, to the event `end`. The program waits while the writer does not read. Leaving the loop detaches. */
  readonly events: AsyncIterable<TerminalRecord>;
  /** Resolves when more may be written. Of what a reader writes the helper takes no notice. */
  write(bytes: Uint8Array): Promise<void>;
  /** Detaches; the terminal lives on. */
  close(): void;
}

export interface Terminals {
  /** Does nothing where it exists. */
  create(id: string, spec: TerminalSpec, signal: AbortSignal): Promise<{ readonly id: string; readonly pid: number }>;
  get(id: string, signal: AbortSignal): Promise<TerminalStatus>;
  list(signal: AbortSignal): Promise<readonly TerminalStatus[]>;
  /** Ends it with everything that runs in it. */
  end(id: string, signal: AbortSignal): Promise<void>;
  attach(id: string, options: AttachOptions): Promise<Attachment>;
  resize(id: string, client: string, size: { readonly cols: number; readonly rows: number }, signal: AbortSignal): Promise<void>;
  /** To the foreground process group. */
  signal(id: string, name: string, signal: AbortSignal): Promise<void>;
  /** Makes the client the writer, and the present writer a reader. */
  takeover(id: string, client: string, signal: AbortSignal): Promise<void>;
}

export function createTerminals(caller: Caller): Terminals {
  const path = (id: string, what = ''): string => `/terminals/${idSegment(id)}${what}`;
  const post = (where: string, body: unknown, signal: AbortSignal): Promise<void> =>
    caller.run('POST', where, { ...jsonBody(body), signal });
  return {
    create: (id, { ringBytes, ...spec }, signal) =>
      caller.json('PUT', path(id), terminalMadeSchema, { ...jsonBody({ ...spec, ring_bytes: ringBytes }), signal, repeatable: true }),
    get: (id, signal) => caller.json('GET', path(id), terminalSchema, { signal, repeatable: true }),
    list: async (signal) => (await caller.json('GET', '/terminals', terminalsSchema, { signal, repeatable: true })).terminals,
    end: (id, signal) => caller.run('DELETE', path(id), { signal, repeatable: true }),
    attach: (id, options) => attach(caller, path(id, '/attach'), options),
    resize: (id, client, { cols, rows }, signal) => post(path(id, '/resize'), { client, cols, rows }, signal),
    signal: (id, name, signal) => post(path(id, '/signal'), { signal: name }, signal),
    takeover: (id, client, signal) => post(path(id, '/takeover'), { client }, signal),
  };
}

async function attach(caller: Caller, path: string, { client, since, mode, signal }: AttachOptions): Promise<Attachment> {
  const keystrokes = new PassThrough();
  // Told by the events.
  keystrokes.on('error', () => undefined);
  const response = await caller.open('POST', withQuery(path, { client, since, mode }), {
    body: keystrokes,
    headers: { 'berth-spec-bytes': '0' },
    signal,
  });
  async function* events(): AsyncGenerator<TerminalRecord, void, undefined> {
    try {
      for await (const record of readRecords(response.body, terminalEventSchema)) {
        yield record.type === 'event' ? record.event : { event: 'output', bytes: record.bytes };
      }
    } finally {
      keystrokes.destroy();
    }
  }
  return {
    events: events(),
    write: async (bytes) => {
      if (keystrokes.destroyed || keystrokes.write(bytes)) return;
      // `once` rejects where the attachment breaks off meanwhile, which the events tell; the writer has nothing to add.
      await Promise.race([once(keystrokes, 'drain'), once(keystrokes, 'close')]).catch(() => undefined);
    },
    close: () => {
      response.body.destroy();
      keystrokes.destroy();
    },
  };
}
