/**
 * What the helper suite times, each call by itself.
 *
 * @module
 */
import type { HelperClient } from '../shared/helper/client.ts';
import { newId } from '../shared/ids.ts';
import type { Kubernetes } from '../shared/kubernetes/port.ts';
import { containerName } from '../shared/pods/names.ts';

const PATIENCE_MS = 60_000;
const MEBIBYTE = 2 ** 20;

/** Runs a command to its end and answers how many bytes it printed. Throws where it did not end with 0. */
export async function run(client: HelperClient, argv: readonly string[]): Promise<number> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let bytes = 0;
  for await (const record of client.executions.run(newId(), { argv, timeoutMs: PATIENCE_MS, outputLimitBytes: 2 ** 40 }, { signal })) {
    if (record.type === 'stdout' || record.type === 'stderr') bytes += record.bytes.length;
    else if (record.type === 'end' && record.exit_code !== 0) throw new Error(`${argv.join(' ')}: ${JSON.stringify(record)}`);
  }
  return bytes;
}

/** The same by a raw exec stream. */
export async function runRaw(kubernetes: Kubernetes, namespace: string, pod: string, command: readonly string[]): Promise<number> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const stream = await kubernetes.exec({ namespace, pod, container: containerName, command, signal });
  let bytes = 0;
  stream.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
  stream.stderr.resume();
  const exit = await stream.exit;
  if (exit.type !== 'exited' || exit.exitCode !== 0) throw new Error(`the raw exec ended otherwise: ${JSON.stringify(exit)}`);
  return bytes;
}

/** A command that prints so many bytes and nothing else. */
export function printing(mebibytes: number): readonly string[] {
  return ['head', '-c', String(mebibytes * MEBIBYTE), '/dev/zero'];
}

export interface Echo {
  /** Milliseconds from a keystroke to its echo. */
  keystroke(): Promise<number>;
  close(): Promise<void>;
}

/** A terminal whose program only waits: the terminal itself echoes. */
export async function openEcho(client: HelperClient): Promise<Echo> {
  const id = newId();
  const stop = new AbortController();
  await client.terminals.create(id, { argv: ['sleep', '1000'], cols: 80, rows: 24 }, stop.signal);
  const attachment = await client.terminals.attach(id, { client: 'bench', mode: 'write', signal: stop.signal });
  let heard: () => void = () => undefined;
  const reading = (async () => {
    for await (const record of attachment.events) if (record.event === 'output') heard();
  })().catch(() => undefined);
  return {
    keystroke: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      heard = resolve;
      const started = performance.now();
      await attachment.write(Buffer.from('x'));
      await promise;
      return performance.now() - started;
    },
    close: async () => {
      await client.terminals.end(id, stop.signal);
      stop.abort();
      await reading;
    },
  };
}
