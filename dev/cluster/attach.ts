/**
 * Starts the embedded cluster's process, or takes over one that is still running from the last time.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import { get, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { INSTANCE_HEADER } from './control.ts';
import { readEndpoint, type Endpoint } from './endpoint.ts';

const START_MS = 20_000;
const END_MS = 30_000;
const ANSWER_MS = 3000;
const EXIT_POLL_MS = 10;
/** MiB, and percent. Left alone, V8 keeps hundreds of MiB for garbage that a busy minute made, and never gives them back. */
const SMALL_HEAP = ['--max-semi-space-size=4', '--heap-growing-percent=25'];

export interface AttachedCluster {
  readonly kubeconfigFile: string;
  readonly capabilities: Endpoint['capabilities'];
  readonly warnings: readonly string[];
  /** `adopted`: it still ran. `replaced`: one with other options still ran, and was ended. */
  readonly origin: 'started' | 'adopted' | 'replaced';
  /** Resolves when it has ended without having been asked: it was killed, or crashed. Its address then is no more. */
  readonly lost: Promise<void>;
  /** Ends every pod's processes and the cluster's own; what it stored stays, and comes up again at the next start. */
  end(): Promise<void>;
  /** Lets go without ending it: it waits a minute for somebody else. */
  release(): void;
}

export interface ClusterOptions {
  readonly directory: string;
  /** Absolute; where the buckets are that pods may mount. */
  readonly buckets?: string;
  readonly images: readonly string[];
  readonly runtime: 'auto' | 'bwrap' | 'unshare' | 'plain';
}

/** Throws an `Error` with the reason, and where its log is, when the cluster does not start. */
export async function attachCluster(options: ClusterOptions): Promise<AttachedCluster> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const running = readEndpoint(options.directory);
  const held = running === undefined ? undefined : await holdLifeline(running).catch(() => undefined);
  if (running !== undefined && held !== undefined) {
    const adopted = attached(running, held, 'adopted');
    if (isAsWanted(running, options)) return adopted;
    await adopted.end();
  }
  const endpoint = await startProcess(options);
  return attached(endpoint, await holdLifeline(endpoint), held === undefined ? 'started' : 'replaced');
}

function isAsWanted({ options }: Endpoint, wanted: ClusterOptions): boolean {
  const images = new Set(wanted.images);
  return options.runtime === wanted.runtime && images.symmetricDifference(new Set(options.images)).size === 0;
}

async function startProcess(options: ClusterOptions): Promise<Endpoint> {
  const logFile = join(options.directory, 'cluster.log');
  const log = openSync(logFile, 'a', 0o600);
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  // A session of its own: Ctrl-C in the terminal is for the service, which then ends the cluster in order.
  const child = spawn(process.execPath, [...SMALL_HEAP, main, JSON.stringify(options)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    cwd: options.directory,
  });
  try {
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('it ended at once')));
    const started = once(child, 'message', { signal: AbortSignal.timeout(START_MS) });
    await Promise.race([started, ended]);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`The embedded cluster did not start; see ${logFile}`, { cause: error });
  }
  child.disconnect();
  child.unref();
  const endpoint = readEndpoint(options.directory);
  if (endpoint === undefined) throw new Error(`The embedded cluster left no endpoint; see ${logFile}`);
  return endpoint;
}

/** Rejects where nobody answers within three seconds, or somebody else than this cluster. */
function holdLifeline(endpoint: Endpoint): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { authorization: `Bearer ${endpoint.controlToken}` };
  const asked = get(new URL('/lifeline', endpoint.control), { headers, agent: false }, (response) => {
    clearTimeout(patience);
    response.on('error', () => {});
    response.resume();
    if (response.statusCode === 200 && response.headers[INSTANCE_HEADER] === endpoint.instance) return resolve(response);
    response.destroy();
    reject(new Error(`the lifeline was refused: ${response.statusCode}`));
  });
  const patience = setTimeout(() => asked.destroy(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  asked.on('error', (error) => {
    clearTimeout(patience);
    reject(error);
  });
  return promise;
}

function attached(endpoint: Endpoint, lifeline: IncomingMessage, origin: AttachedCluster['origin']): AttachedCluster {
  let letGo = false;
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  lifeline.on('close', () => letGo || resolve());
  return {
    kubeconfigFile: endpoint.kubeconfig,
    capabilities: endpoint.capabilities,
    warnings: endpoint.warnings,
    origin,
    lost,
    release: () => {
      letGo = true;
      lifeline.destroy();
    },
    end: async () => {
      letGo = true;
      await askToEnd(endpoint);
      lifeline.destroy();
    },
  };
}

/** Resolves when its process is gone; whoever does not answer any more has ended already. */
async function askToEnd(endpoint: Endpoint): Promise<void> {
  const headers = { authorization: `Bearer ${endpoint.controlToken}` };
  const asked = request(new URL('/end', endpoint.control), { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(END_MS) });
  asked.end();
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'close');
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  const end = performance.now() + END_MS;
  while (isRunning(endpoint.pid) && performance.now() < end) await sleep(EXIT_POLL_MS);
}

const GONE: readonly unknown[] = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'];

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GONE.includes(error.code);
}

/** It is no child of ours where it was adopted, so its end cannot be waited for. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
