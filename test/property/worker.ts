/**
 * Checks the property in a thread of its own: time is replaced in all of it. With a mutation, the modules of this thread are loaded with
 * that one change, which exists nowhere else.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { Mutation } from './mutations.ts';
import type { PropertyOptions } from './property.ts';

export interface WorkerTask extends PropertyOptions {
  readonly mutation?: Mutation | undefined;
}

const { mutation, ...options } = workerData as WorkerTask;
let mutated = 0;
if (mutation !== undefined) {
  const root = new URL('../../', import.meta.url);
  const target = new URL(mutation.file, root).href;
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      mutated += 1;
      return { ...loaded, source: mutate(readFileSync(fileURLToPath(url), 'utf8'), mutation) };
    },
  });
}
const { checkProperty } = await import('./property.ts');
const outcome = await checkProperty(options);
if (mutation !== undefined && mutated !== 1) throw new Error(`${mutation.file} was not loaded`);
parentPort?.postMessage(outcome, []);

/** The text has to be there, once: a mutation that changes nothing would be caught by nobody. */
function mutate(source: string, { file, from, to }: Mutation): string {
  const parts = source.split(from);
  if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, not once: ${from}`);
  return parts.join(to);
}
