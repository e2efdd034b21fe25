/**
 * Starts a program whose last step is `LAUNCH`, or `helper launch`, and listens to what it reports on descriptor 3: where PID 1 is, and
 * whether the command could be started.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { Duplex, Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { readFrom, writeTo } from './pipes.ts';
import type { PipePool } from './pipes.ts';
import { RESIZE_DESCRIPTOR } from './scripts.ts';

export interface LaunchRequest {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Opens the descriptor by which the terminal's size is set. */
  readonly terminal?: boolean;
}

export type Outcome =
  | { readonly type: 'started' }
  /** The launcher's word for what is wrong with the command: `missing`, `absent`, `denied`, `directory`. */
  | { readonly type: 'failed'; readonly problem: string }
  /** It ended before it got as far as the command; `text` is what the tools on the way had to say. */
  | { readonly type: 'ended'; readonly text: string };

export interface Launched {
  readonly child: ChildProcess;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** Never rejects: the exit code, or 128 + signal. Settles when all of the report has been read. */
  readonly exit: Promise<number>;
  /** PID 1 as the machine counts it, where it is reported. */
  pid(): number | undefined;
  /** Sets the size of its terminal. Nothing happens where it has none any more. */
  resize(columns: number, rows: number): void;
  /** What else came by way of the report: complaints of the tools on the way. */
  text(): string;
}

/** Rejects where the program itself cannot be started. */
export async function launch(pipes: PipePool, request: LaunchRequest): Promise<Launched> {
  const input = request.stdin ? await pipes.take() : undefined;
  const output = request.stdout ? await pipes.take() : undefined;
  const errors = request.stderr ? await pipes.take() : undefined;
  const theirs = [input?.readEnd, output?.writeEnd, errors?.writeEnd];
  const ours = [input?.writeEnd, output?.readEnd, errors?.readEnd];
  const [program = '', ...args] = request.argv;
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      env: { ...request.environment },
      cwd: '/',
      stdio: [
        ...theirs.map((descriptor) => descriptor ?? ('ignore' as const)),
        'pipe',
        ...(request.terminal === true ? (['pipe'] as const) : []),
      ],
      // A session of its own: out of reach of our terminal and its Ctrl-C, and, where the kernel groups tasks by session, with its own
      // share of the processors.
      detached: true,
    });
    await spawned(child);
  } catch (error) {
    for (const descriptor of ours) if (descriptor !== undefined) closeSync(descriptor);
    throw error;
  } finally {
    for (const descriptor of theirs) if (descriptor !== undefined) closeSync(descriptor);
  }
  const exit = new Promise<number>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
  return {
    child,
    stdin: input && writeTo(input.writeEnd),
    stdout: output && readFrom(output.readEnd),
    stderr: errors && readFrom(errors.readEnd),
    exit,
    resize: resizer(child),
    ...listen(child, exit),
  };
}

async function spawned(child: ChildProcess): Promise<void> {
  if (child.pid !== undefined) return;
  await new Promise<void>((_resolve, reject) => child.once('error', reject));
}

function listen(child: ChildProcess, exit: Promise<number>): Pick<Launched, 'outcome' | 'pid' | 'text'> {
  let text = '';
  let pid: number | undefined;
  const outcome = new Promise<Outcome>((resolve) => {
    const read = (line: string): void => {
      const [, word = '', rest = ''] = /^(\S+) ?(.*)$/.exec(line) ?? [];
      if (word === 'pid') pid = Number(rest);
      else if (word === 'started') resolve({ type: 'started' });
      else if (word === 'failed') resolve({ type: 'failed', problem: rest });
      else text += `${line}\n`;
    };
    onLines(child.stdio[3], read);
    void exit.then(() => resolve({ type: 'ended', text: text.trim() }));
  });
  return { outcome, pid: () => pid, text: () => text };
}

/** A line `COLS ROWS` for `helper tty`. What it does not read in time is not worth keeping. */
function resizer(child: ChildProcess): Launched['resize'] {
  const stream: unknown = child.stdio[RESIZE_DESCRIPTOR];
  if (!(stream instanceof Duplex)) return () => undefined;
  stream.on('error', () => undefined);
  stream.resume();
  return (columns, rows) => {
    if (stream.writable && !stream.writableNeedDrain) stream.write(`${columns} ${rows}\n`);
  };
}

function onLines(stream: unknown, read: (line: string) => void): void {
  if (!(stream instanceof Readable)) return;
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(read);
  });
  stream.on('error', () => undefined);
}
