/**
 * Commands of the contract, run to their end.
 *
 * @module
 */
import { Readable } from 'node:stream';
import type { HelperClient } from '../../../shared/helper/client.ts';
import type { ExecutionRecord, ExecutionSpec, RunOptions } from '../../../shared/helper/client-executions.ts';
import { newId } from '../../../shared/ids.ts';

const MIB = 1024 * 1024;
const SOON_MS = 15_000;

export const helper = '/berth/bin/helper';
/** Runs until its input ends, in any image. */
export const waits: readonly string[] = [helper, 'connect'];
/** Runs until it is ended, in any image: a helper of nobody's, in a folder of its own. */
export function lasts(): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  return { argv: [helper, 'serve'], env: { BERTH_DIR: `/tmp/${newId()}` } };
}

export function soon(): AbortSignal {
  return AbortSignal.timeout(SOON_MS);
}

export function sh(script: string, ...words: readonly string[]): readonly string[] {
  return ['sh', '-c', script, 'sh', ...words];
}

export interface RunSettings extends Partial<RunOptions>, Partial<Omit<ExecutionSpec, 'argv'>> {
  readonly id?: string;
}

export type Ended = Extract<ExecutionRecord, { type: 'end' }>;

export interface Ran {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly pid: number;
  readonly end: Ended;
}

export function start(
  client: HelperClient,
  argv: readonly string[],
  settings: RunSettings = {},
): AsyncGenerator<ExecutionRecord, void, undefined> {
  const { id = newId(), stdin, signal = soon(), ...spec } = settings;
  const options = { signal, ...(stdin === undefined ? {} : { stdin }) };
  return client.executions.run(id, { argv, timeoutMs: SOON_MS, outputLimitBytes: 64 * MIB, ...spec }, options);
}

export async function run(client: HelperClient, argv: readonly string[], settings: RunSettings = {}): Promise<Ran> {
  const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  let pid = 0;
  for await (const record of start(client, argv, settings)) {
    if (record.type === 'started') pid = record.pid;
    else if (record.type === 'end')
      return { stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr).toString(), pid, end: record };
    else output[record.type].push(record.bytes);
  }
  throw new Error('The execution ended without its last record.');
}

/** What a script prints. */
export async function say(client: HelperClient, script: string, ...words: readonly string[]): Promise<string> {
  return (await run(client, sh(script, ...words))).stdout.toString();
}

/**
 * How many processes of the pod have this text in their command line. It goes there as input, or the search would find itself.
 */
export async function countProcesses(client: HelperClient, text: string): Promise<number> {
  const script = `read -r text; for file in /proc/[0-9]*/cmdline; do
    case "$(tr '\\0' ' ' <"$file" 2>/dev/null)" in *"$text"*) echo "$file" ;; esac
  done | wc -l`;
  const { stdout } = await run(client, sh(script), { stdin: Buffer.from(`${text}\n`) });
  return Number(stdout.toString());
}

let marks = 0;
/** A number of seconds that no other command sleeps: by it, its process is found. */
export function uniqueSeconds(): string {
  marks += 1;
  return String(1_000_000 + (process.pid % 1_000) * 10_000 + marks);
}

/** Input that does not end. */
export function never(): Readable {
  return new Readable({ read: () => undefined });
}

/** The records that are still to come. */
export async function rest(records: AsyncIterable<ExecutionRecord>): Promise<ExecutionRecord[]> {
  const all: ExecutionRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}
