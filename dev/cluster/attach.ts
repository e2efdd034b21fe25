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
import { readEndpoint, type Endpoint } from './endpoint.ts';

const START_MS = 20_000;
const END_MS = 30_000;
const EXIT_POLL_MS = 10;
/** MiB. Left alone, V8 keeps a hundred and more for garbage that a busy minute made, and never gives them back. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=4';

export interface AttachedCluster {
  readonly kubeconfigFile: string;
  readonly capabilities: Endpoint['capabilities'];
  readonly warnings: readonly string[];
  readonly adopted: boolean;
  /** Ends every pod's processes and the cluster's own; what it stored stays, and comes up again at the next start. */
  end(): Promise<void>;
  /** Lets go without ending it: it waits a minute for somebody else. */
  release(): void;
}

export interface ClusterOptions {
  readonly directory: string;
  readonly images: readonly string[];
  readonly runtime: 'auto' | 'bwrap' | 'unshare' | 'plain';
}

/** Throws an `Error` with the reason, and where its log is, when the cluster does not start. */
export async function attachCluster(options: ClusterOptions): Promise<AttachedCluster> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const running = readEndpoint(options.directory);
  const held = running === undefined ? undefined : await holdLifeline(running).catch(() => undefined);
  if (running !== undefined && held !== undefined) return attached(running, held, true);
  const endpoint = await startProcess(options);
  return attached(endpoint, await holdLifeline(endpoint), false);
}

async function startProcess(options: ClusterOptions): Promise<Endpoint> {
  const logFile = join(options.directory, 'cluster.log');
  const log = openSync(logFile, 'a', 0o600);
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  // A session of its own: Ctrl-C in the terminal is for the service, which then ends the cluster in order.
  const child = spawn(process.execPath, [SMALL_YOUNG_GENERATION, main, JSON.stringify(options)], {
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

function holdLifeline(endpoint: Endpoint): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { authorization: `Bearer ${endpoint.controlToken}` };
  get(new URL('/lifeline', endpoint.control), { headers, agent: false }, (response) => {
    response.on('error', () => {});
    response.resume();
    if (response.statusCode === 200) resolve(response);
    else reject(new Error(`the lifeline was refused: ${response.statusCode}`));
  }).on('error', reject);
  return promise;
}

function attached(endpoint: Endpoint, lifeline: IncomingMessage, adopted: boolean): AttachedCluster {
  return {
    kubeconfigFile: endpoint.kubeconfig,
    capabilities: endpoint.capabilities,
    warnings: endpoint.warnings,
    adopted,
    release: () => lifeline.destroy(),
    end: async () => {
      await askToEnd(endpoint);
      lifeline.destroy();
    },
  };
}

async function askToEnd(endpoint: Endpoint): Promise<void> {
  const headers = { authorization: `Bearer ${endpoint.controlToken}` };
  const asked = request(new URL('/end', endpoint.control), { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(END_MS) });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'close');
  const end = performance.now() + END_MS;
  while (isRunning(endpoint.pid) && performance.now() < end) await sleep(EXIT_POLL_MS);
}

/** It is no child of ours where it was adopted, so its end cannot be waited for. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
