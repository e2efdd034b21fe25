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
import { chooseCluster } from './cluster/choose.ts';
import { takeLock } from './lock.ts';
import { parseStartOptions, usage } from './options.ts';

async function start(config: Config): Promise<void> {
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });
  const unlock = takeLock(join(config.dataDirectory, 'lock'));
  if (unlock === undefined) throw new ConfigError([`BERTH_DATA_DIR: another Berth runs with ${config.dataDirectory}`]);
  const choosing = chooseCluster(config);
  const serving = import('./serve.ts').then(({ serve }) => serve(config, choosing));
  const cluster = await choosing;
  const service = await serving.catch(async (error: unknown) => {
    await cluster.end();
    throw error;
  });
  stopInOrder(async () => {
    await service.stop();
    await cluster.end();
    unlock();
  });
  for (const warning of cluster.warnings) console.log(`Warning: ${warning}`);
  console.log(`Cluster: ${cluster.description}`);
  console.log(`API key: in ${service.keyFile}`);
  console.log(`Berth is ready: ${service.url}`);
}

/** The first signal stops in order, the second at once: the embedded cluster then ends by itself within a minute. */
function stopInOrder(stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    // A group's SIGTERM may arrive twice, once through the launcher; only a second Ctrl-C is impatience.
    if (stopping && signal === 'SIGINT') process.exit(130);
    if (stopping) return;
    stopping = true;
    console.log(`Stopping on ${signal}; Ctrl-C once more to stop at once.`);
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // A launcher that was killed could not hand on the signal.
  const launcher = Number(process.env['BERTH_LAUNCHER_PID']);
  if (launcher === process.ppid) setInterval(() => process.ppid === launcher || stopping || onSignal('SIGTERM'), 500).unref();
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
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
