/**
 * `npm start`: all of Berth in one process on one port of 127.0.0.1, with the embedded cluster as a process beside it, or with the pods
 * on a cluster that was named.
 *
 * @module
 */
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { loadEnvFile } from 'node:process';
import { ensureDevelopmentKey } from '../shared/auth/development-key.ts';
import { ConfigError, type Config } from '../shared/config.ts';
import { createDeps } from '../shared/create-deps.ts';
import { createServices } from '../shared/create-services.ts';
import type { Deps } from '../shared/deps.ts';
import { createApiApp } from '../shared/http/create-api-app.ts';
import { createFunctionServer } from '../shared/http/function-front.ts';
import type { Services } from '../shared/http/services.ts';
import { chooseCluster } from './cluster/choose.ts';
import { takeLock } from './lock.ts';
import { parseStartOptions, usage } from './options.ts';
import { deliverInProcess } from './tasks-in-process.ts';

const DRAIN_MS = 10_000;

async function start(config: Config): Promise<void> {
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });
  const unlock = takeLock(join(config.dataDirectory, 'lock'));
  if (unlock === undefined) throw new ConfigError([`BERTH_DATA_DIR: another Berth runs with ${config.dataDirectory}`]);
  const cluster = await chooseCluster(config);
  const tasks = deliverInProcess();
  const deps = await createDeps(config, { access: cluster.access, clusterWarnings: cluster.warnings, deliver: tasks.deliver });
  const services = createServices(deps);
  tasks.serve(deps, services);
  const key = await ensureDevelopmentKey(deps.store, config.dataDirectory);
  const server = await createFunctionServer('api', createApiApp(deps, services));
  const url = await listen(server, config.port);
  const stopSweeping = sweepRegularly(deps, services, config.sweepSeconds);
  // The library behind it takes longer to load than anything else; the first caller should not wait for it.
  void deps.kubernetes().catch(() => {});
  stopInOrder(async () => {
    await stopSweeping();
    await drain(server);
    await deps.close();
    await cluster.end();
    unlock();
  });
  for (const warning of cluster.warnings) console.log(`Warning: ${warning}`);
  console.log(`Cluster: ${cluster.description}`);
  console.log(`API key: in ${key.file}`);
  console.log(`Berth is ready: ${url}`);
}

async function listen(server: Server, port: number): Promise<string> {
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    throw taken ? new ConfigError([`PORT: ${port} is in use; choose another with --port`]) : error;
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** At once, for what the last run left behind, and then each minute; never two at a time. */
function sweepRegularly(deps: Deps, services: Services, seconds: number): () => Promise<void> {
  let running = Promise.resolve();
  let busy = false;
  const pass = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      await services.sweep();
    } catch (error) {
      deps.log.log('warn', 'the sweep could not run', { component: 'sweep', error });
    } finally {
      busy = false;
    }
  };
  const next = (): void => {
    running = pass();
  };
  next();
  const timer = setInterval(next, seconds * 1000);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

/** Answers what is at hand, within bounds; an idle connection is no reason to wait. */
async function drain(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(timer);
}

/** The first signal stops in order, the second at once: the embedded cluster then ends by itself within a minute. */
function stopInOrder(stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(130);
    stopping = true;
    console.log(`Stopping on ${signal}; once more to stop at once.`);
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
