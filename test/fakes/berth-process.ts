/**
 * `npm start` as a child process, on a free port with a folder of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const startFile = fileURLToPath(new URL('../../dev/start.ts', import.meta.url));
const READY_MS = 30_000;

export interface BerthProcess {
  readonly url: string;
  readonly pid: number;
  /** From start to its last line. */
  readonly readyMs: number;
  readonly output: readonly string[];
  /** One request with the development key; the body is JSON both ways. */
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Ctrl-C; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** `kill -9`. */
  kill(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // What a test reads of an answer is what the test is about.
  readonly body: Record<string, unknown> & { readonly [list: string]: unknown };
}

export interface BerthOptions {
  readonly directory: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function startBerth({ directory, args = [], env = {} }: BerthOptions): Promise<BerthProcess> {
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=4', '--heap-growing-percent=25', startFile, '--port', '0', '--data-dir', directory, ...args],
    {
      // An inherited configuration of the machine's developer must not reach the test.
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', BERTH_LOG_FORMAT: 'text', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const output: string[] = [];
  const url = await readyUrl(child, output);
  const readyMs = performance.now() - startedAt;
  const key = (await readFile(join(directory, 'api-key'), 'utf8')).trim();
  const exited = once(child, 'exit');
  return {
    url,
    pid: child.pid ?? 0,
    readyMs,
    output,
    call: async (method, path, body, headers = {}) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Answer['body'] };
    },
    stop: async () => {
      child.kill('SIGINT');
      await exited;
      return child.exitCode;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The address in its last line; rejects with all it printed when it ends or takes too long. */
async function readyUrl(child: ChildProcess, output: string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string): void => reject(new Error(`Berth did not start: ${why}\n${output.join('\n')}`));
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    fail(`not ready within ${READY_MS} ms`);
  }, READY_MS);
  child.once('exit', (code) => fail(`it ended with ${code}`));
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface(stream).on('line', (line) => {
      output.push(line);
      const ready = /^Berth is ready: (\S+)$/.exec(line)?.[1];
      if (ready !== undefined) resolve(ready);
    });
  }
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.removeAllListeners('exit');
  }
}
