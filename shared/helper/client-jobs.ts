/**
 * Commands that run detached; what they print is read by offset, as often as one likes.
 *
 * @module
 */
import type { Readable } from 'node:stream';
import { readBounded } from './bounded.ts';
import { numberHeader } from './client-answer.ts';
import { idSegment, jsonBody, withQuery, type Caller } from './client-request.ts';
import { jobSchema, jobsSchema, type JobStatus } from './protocol.ts';

export interface JobSpec {
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
  readonly deadlineMs?: number;
  /** Of each of stdout and stderr. */
  readonly outputLimitBytes?: number;
}

export type JobStream = 'stdout' | 'stderr';

export interface Jobs {
  /** Answers the one that exists where the id was used before. */
  start(id: string, spec: JobSpec, signal: AbortSignal): Promise<JobStatus>;
  /** Waits up to `waitMs` for its end. */
  get(id: string, signal: AbortSignal, waitMs?: number): Promise<JobStatus>;
  list(signal: AbortSignal): Promise<readonly JobStatus[]>;
  /** At most `limit` bytes from `offset` on; `limit` is 1 MiB at most. */
  read(
    id: string,
    stream: JobStream,
    range: { readonly offset: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Buffer; readonly nextOffset: number }>;
  /** The bytes from `offset` on, until the job has ended and all of them are read. */
  follow(id: string, stream: JobStream, offset: number, signal: AbortSignal): Promise<Readable>;
  signal(id: string, name: string, signal: AbortSignal): Promise<void>;
  cancel(id: string, signal: AbortSignal): Promise<void>;
  /** Removes the files of one that has ended. */
  remove(id: string, signal: AbortSignal): Promise<void>;
}

const LARGEST_READ = 1024 * 1024;
const LARGEST_LIST = 4 * 1024 * 1024;
/** Below the time in which any request is to be answered. */
const LONGEST_WAIT_MS = 5_000;

export function createJobs(caller: Caller): Jobs {
  const path = (id: string, what = ''): string => `/jobs/${idSegment(id)}${what}`;
  return {
    start: (id, spec, signal) => caller.json('PUT', path(id), jobSchema, { ...jsonBody(toWire(spec)), signal, repeatable: true }),
    get: (id, signal, waitMs = 0) => waitFor(caller, path(id), waitMs, signal),
    list: async (signal) => {
      const options = { signal, repeatable: true, mostBytes: LARGEST_LIST };
      return (await caller.json('GET', '/jobs', jobsSchema, options)).jobs;
    },
    read: async (id, stream, { offset, limit }, signal) => {
      const most = Math.min(limit, LARGEST_READ);
      const where = withQuery(path(id, `/${stream}`), { offset, limit: most });
      const response = await caller.open('GET', where, { signal, repeatable: true });
      const bytes = await readBounded(response.body, most);
      return { bytes, nextOffset: numberHeader(response, 'berth-next-offset') };
    },
    follow: async (id, stream, offset, signal) => {
      const where = withQuery(path(id, `/${stream}`), { offset, follow: true });
      return (await caller.open('GET', where, { signal, repeatable: true })).body;
    },
    signal: (id, name, signal) => caller.run('POST', path(id, '/signal'), { ...jsonBody({ signal: name }), signal }),
    cancel: (id, signal) => caller.run('POST', path(id, '/cancel'), { signal, repeatable: true }),
    remove: (id, signal) => caller.run('DELETE', path(id), { signal }),
  };
}

async function waitFor(caller: Caller, path: string, waitMs: number, signal: AbortSignal): Promise<JobStatus> {
  const until = performance.now() + waitMs;
  for (;;) {
    const left = Math.max(0, Math.round(until - performance.now()));
    const where = withQuery(path, { wait_ms: Math.min(left, LONGEST_WAIT_MS) });
    const status = await caller.json('GET', where, jobSchema, { signal, repeatable: true });
    if (status.status === 'ended' || performance.now() >= until) return status;
  }
}

function toWire(spec: JobSpec): unknown {
  const { argv, cwd, env, stdin, deadlineMs, outputLimitBytes } = spec;
  return {
    argv,
    cwd,
    env,
    stdin_base64: stdin === undefined ? undefined : Buffer.from(stdin).toString('base64'),
    deadline_ms: deadlineMs,
    output_limit_bytes: outputLimitBytes,
  };
}
