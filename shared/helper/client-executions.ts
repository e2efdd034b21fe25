/**
 * Commands, each run once whatever happens to the connection: its id is the control plane's, and who asks again by the same id joins.
 *
 * @module
 */
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { startDeadline } from '../deadline.ts';
import { AppError } from '../errors/app-error.ts';
import { catalog } from '../errors/catalog.ts';
import { refuseProblem } from './client-answer.ts';
import { idSegment, jsonBody, usableChannel, withQuery, type Caller, type ChannelOf } from './client-request.ts';
import { isConnectionLost, problemOf } from './errors.ts';
import type { HelperResponse, PodChannel } from './port.ts';
import { executionEventSchema, type ExecutionEnd, type ExecutionEvent } from './protocol.ts';
import { readRecords, type OutputPart } from './records.ts';

export interface ExecutionSpec {
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Of each of stdout and stderr. */
  readonly outputLimitBytes: number;
}

export interface RunOptions {
  /** Absent: the command reads the end of its input at once. A stream is destroyed with the run. */
  readonly stdin?: Readable | Uint8Array;
  /** Cancels the command. */
  readonly signal: AbortSignal;
}

export type ExecutionRecord =
  | OutputPart
  | { readonly type: 'started'; readonly pid: number }
  | ({ readonly type: 'end' } & Omit<ExecutionEnd, 'event'>);

export interface Executions {
  /**
   * Runs a command. The records are `started`, output as it comes, and `end`, always last; the command waits while nobody reads.
   * Leaving the loop cancels it. When the connection is lost the same execution is joined again, three times within 20 s, and nothing
   * of its output is missing or repeated; where that cannot be had it ends as `connection_lost`. Throws `AppError` where it was not
   * started, and the signal's reason.
   */
  run(id: string, spec: ExecutionSpec, options: RunOptions): AsyncGenerator<ExecutionRecord, void, undefined>;
  /** To its process group. */
  signal(id: string, name: string, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing is left of it. */
  cancel(id: string, signal: AbortSignal): Promise<void>;
}

const REJOIN_WITHIN_MS = 20_000;
/** Before each of the three attempts to join again. */
const REJOIN_AFTER_MS = [0, 250, 1_000] as const;
const CANCEL_WITHIN_MS = 5_000;
const UNKNOWN_EXIT_CODE = -1;

export function createExecutions(caller: Caller, channelOf: ChannelOf): Executions {
  const cancel = (id: string, signal: AbortSignal): Promise<void> =>
    caller.run('DELETE', `/executions/${idSegment(id)}`, { signal, repeatable: true });
  return {
    run: (id, spec, options) => new Execution(id, spec, options, channelOf, cancel).records(),
    signal: (id, name, signal) => caller.run('POST', `/executions/${idSegment(id)}/signal`, { ...jsonBody({ signal: name }), signal }),
    cancel,
  };
}

class Execution {
  readonly #id: string;
  readonly #spec: Buffer;
  readonly #options: RunOptions;
  readonly #channelOf: ChannelOf;
  readonly #cancel: (id: string, signal: AbortSignal) => Promise<void>;
  readonly #startedAt = performance.now();
  #started = false;
  readonly #bytes = { stdout: 0, stderr: 0 };
  /** No input can be lost: there is none, it can be sent again (the helper leaves out what the command has already), or the helper has it. */
  #inputSafe: boolean;
  #sent = false;
  #bootId: string | undefined;
  #lostAt: number | undefined;
  #rejoins = 0;

  constructor(
    id: string,
    spec: ExecutionSpec,
    options: RunOptions,
    channelOf: ChannelOf,
    cancel: (id: string, signal: AbortSignal) => Promise<void>,
  ) {
    this.#id = idSegment(id);
    this.#spec = Buffer.from(
      JSON.stringify({
        argv: spec.argv,
        cwd: spec.cwd,
        env: spec.env,
        timeout_ms: spec.timeoutMs,
        output_limit_bytes: spec.outputLimitBytes,
        stdin: options.stdin !== undefined,
      }),
    );
    this.#options = options;
    this.#channelOf = channelOf;
    this.#cancel = cancel;
    this.#inputSafe = options.stdin === undefined || options.stdin instanceof Uint8Array;
  }

  async *records(): AsyncGenerator<ExecutionRecord, void, undefined> {
    try {
      for (;;) {
        try {
          yield* this.#follow();
          return;
        } catch (error) {
          if (!(await this.#mayRejoin(error))) break;
        }
      }
      await this.#giveUp();
      yield this.#connectionLost();
    } finally {
      const { stdin } = this.#options;
      if (stdin !== undefined && !(stdin instanceof Uint8Array)) stdin.destroy();
    }
  }

  /** One connection's share of the records. */
  async *#follow(): AsyncGenerator<ExecutionRecord, void, undefined> {
    const { signal } = this.#options;
    const channel = await usableChannel(this.#channelOf, signal);
    // Another process under this pod's name never ran this id: it would run the command a second time.
    if (this.#bootId !== undefined && this.#bootId !== channel.bootId) throw new HelperRestarted();
    this.#bootId = channel.bootId;
    const response = await this.#send(channel);
    await refuseProblem(response);
    for await (const record of readRecords(response.body, executionEventSchema)) {
      if (record.type === 'event') {
        const told = this.#tell(record.event);
        if (told !== undefined) yield told;
        continue;
      }
      this.#bytes[record.type] += record.bytes.length;
      // The helper is alive and well: what is lost from now on is another loss.
      this.#lostAt = undefined;
      this.#rejoins = 0;
      yield record;
    }
  }

  #tell(event: ExecutionEvent): ExecutionRecord | undefined {
    if (event.event === 'end') {
      const { event: type, ...rest } = event;
      return { type, ...rest };
    }
    if (this.#started) return undefined;
    this.#started = true;
    return { type: 'started', pid: event.pid };
  }

  async #send(channel: PodChannel): Promise<HelperResponse> {
    const { stdin, signal } = this.#options;
    const again = this.#sent;
    this.#sent = true;
    return channel.request({
      method: 'POST',
      path: withQuery(`/executions/${this.#id}`, this.#bytes),
      headers: { 'berth-spec-bytes': String(this.#spec.length) },
      body: bodyOf(this.#spec, stdin, again),
      onBodyTaken: () => (this.#inputSafe = true),
      signal,
    });
  }

  /** Waits before the next attempt. Throws the error where it is no lost connection. */
  async #mayRejoin(error: unknown): Promise<boolean> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    if (!this.#sent) throw error;
    if (error instanceof HelperRestarted) return false;
    const joining = this.#lostAt !== undefined;
    if (joining && problemOf(error) === 'gone') return false;
    if (!isConnectionLost(error) && !(joining && mayPass(error))) throw error;
    this.#lostAt ??= performance.now();
    const after = REJOIN_AFTER_MS[this.#rejoins];
    if (!this.#inputSafe || after === undefined || performance.now() - this.#lostAt > REJOIN_WITHIN_MS) return false;
    this.#rejoins += 1;
    await pause(after, signal);
    return true;
  }

  /** What nobody follows any more must not run on. The helper ends it by itself where this does not reach it. */
  async #giveUp(): Promise<void> {
    using deadline = startDeadline(CANCEL_WITHIN_MS, this.#options.signal);
    await this.#cancel(this.#id, deadline.signal).catch(() => undefined);
    this.#options.signal.throwIfAborted();
  }

  #connectionLost(): ExecutionRecord {
    return {
      type: 'end',
      end: 'connection_lost',
      exit_code: UNKNOWN_EXIT_CODE,
      signal: null,
      duration_ms: Math.round(performance.now() - this.#startedAt),
      stdout_bytes: this.#bytes.stdout,
      stderr_bytes: this.#bytes.stderr,
      message: null,
    };
  }
}

/** The container was restarted meanwhile, and the command ended with it. */
class HelperRestarted extends Error {}

/** Throws the signal's reason. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** A channel that cannot be opened now may be opened a moment later. */
function mayPass(error: unknown): boolean {
  return error instanceof AppError && catalog[error.code].retryable;
}

/** A stream is there once; where the helper has all of it, the rest of the body is left out. */
function bodyOf(spec: Buffer, stdin: Readable | Uint8Array | undefined, again: boolean): Readable | Uint8Array {
  if (stdin instanceof Uint8Array) return Buffer.concat([spec, stdin]);
  if (again || stdin === undefined) return spec;
  const body = new PassThrough();
  body.write(spec);
  // An input that breaks off breaks the body off with it, and the other way round.
  pipeline(stdin, body, () => undefined);
  return body;
}
