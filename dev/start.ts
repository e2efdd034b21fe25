/**
 * `npm start`: the service in this process, and beside it the embedded cluster as a process of its own, or a cluster that was named.
 *
 * What it imports at its head is little, so that the cluster is starting while the rest is still being loaded.
 *
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadEnvFile } from 'node:process';
import { ConfigError, type Config } from '../shared/config.ts';
import { AppError } from '../shared/errors/app-error.ts';
import { chooseCluster, type ChosenCluster } from './cluster/choose.ts';
import { takeLock } from './lock.ts';
import { parseStartOptions, usage } from './options.ts';
import type { Serving } from './serve.ts';

/** Resolves when Berth is ready, or when it is being stopped. */
const ONE_SIGNAL_MS = 300;

async function start(config: Config): Promise<void> {
  let end = async (): Promise<void> => {};
  const stopping = stopInOrder(() => end());
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });
  const unlock = takeLock(join(config.dataDirectory, 'lock'));
  if (unlock === undefined) throw new ConfigError([`BERTH_DATA_DIR: another Berth runs with ${config.dataDirectory}`]);
  const choosing = chooseCluster(config);
  const serving = import('./serve.ts').then(({ serve }) => serve(config, choosing));
  let ending: Promise<void> | undefined;
  end = () => (ending ??= endBoth(serving, choosing).finally(unlock));
  try {
    const [cluster, service] = await Promise.all([choosing, serving]);
    if (stopping.begun()) return;
    void cluster.lost.then(() => stopping.begin('The embedded cluster has ended; stopping, for it to come up anew at the next start.', 1));
    announce(cluster, service);
  } catch (error) {
    if (stopping.begun()) return;
    await end();
    throw error;
  }
}

/** Half a start is no easier to end than a whole one, so what has begun is waited for. */
async function endBoth(serving: Promise<Serving>, choosing: Promise<ChosenCluster>): Promise<void> {
  const [service, cluster] = await Promise.allSettled([serving, choosing]);
  try {
    if (service.status === 'fulfilled') await service.value.stop();
  } finally {
    if (cluster.status === 'fulfilled') await cluster.value.end();
  }
}

function announce(cluster: ChosenCluster, service: Serving): void {
  for (const warning of cluster.warnings) console.log(`Warning: ${warning}`);
  console.log(`Cluster: ${cluster.description}`);
  console.log(`API key: in ${service.keyFile}`);
  console.log(`Berth is ready: ${service.url}`);
}

interface Stopping {
  begin(why: string, exitCode: number): void;
  begun(): boolean;
}

/** The first signal stops in order, the second at once: the embedded cluster then ends by itself within a minute. */
function stopInOrder(stop: () => Promise<void>): Stopping {
  let stopping = false;
  let impatientFrom = Infinity;
  const begin = (why: string, exitCode: number): void => {
    if (stopping) return;
    stopping = true;
    impatientFrom = performance.now() + ONE_SIGNAL_MS;
    console.log(why);
    stop().then(
      () => process.exit(exitCode),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // One signal may arrive twice, to the group and through a launcher; only a second Ctrl-C that is meant as one is impatience.
    if (signal === 'SIGINT' && performance.now() > impatientFrom) process.exit(130);
    begin(`Stopping on ${signal}; Ctrl-C once more to stop at once.`, 0);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // A launcher that was killed could not hand on the signal.
  const launcher = Number(process.env['BERTH_LAUNCHER_PID']);
  if (launcher === process.ppid) setInterval(() => process.ppid === launcher || onSignal('SIGTERM'), 500).unref();
  return { begin, begun: () => stopping };
}

async function main(): Promise<void> {
  if (existsSync('.env')) loadEnvFile('.env');
  const { help, config } = parseStartOptions(process.argv.slice(2), process.env);
  if (help) console.log(usage);
  else await start(config);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof ConfigError || error instanceof AppError ? error.message : error);
  process.exit(1);
}
