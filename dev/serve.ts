/**
 * All of Berth in this process, on one port of 127.0.0.1.
 *
 * @module
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureDevelopmentKey } from '../shared/auth/development-key.ts';
import { ConfigError, EMBEDDED_HELPER_IMAGE, type Config } from '../shared/config.ts';
import { createDeps } from '../shared/create-deps.ts';
import { createServices } from '../shared/create-services.ts';
import type { Deps } from '../shared/deps.ts';
import type { Journal } from '../shared/documents/sqlite-journal.ts';
import { followSessions } from '../shared/events/follow.ts';
import { createApiApp } from '../shared/http/create-api-app.ts';
import { createFunctionServer } from '../shared/http/function-front.ts';
import type { Services } from '../shared/http/services.ts';
import type { ChosenCluster } from './cluster/choose.ts';
import { deliverInProcess } from './tasks-in-process.ts';

const DRAIN_MS = 10_000;
const LAST_SWEEP_MS = 10_000;
const FOLLOW_AGAIN_MS = 1_000;

export interface Serving {
  readonly url: string;
  /** The file with the development key. */
  readonly keyFile: string;
  /** Answers what is at hand, then lets go of store and cluster. */
  stop(): Promise<void>;
}

/** Throws `ConfigError` where the port is taken. The cluster need not be up yet: it is waited for after everything else. */
export async function serve(config: Config, starting: Promise<ChosenCluster>): Promise<Serving> {
  const tasks = deliverInProcess();
  // Loading the client takes longer than anything else here, so it goes side by side with the start of the cluster.
  const client = import('../shared/kubernetes/client.ts').then(({ loadLibrary }) => loadLibrary());
  const framework = import('@google-cloud/functions-framework/testing');
  const cluster = await starting;
  // Where the embedded cluster stands in for another, its sessions are kept as its own.
  const standIn = { cluster: { type: 'embedded' }, helperImage: EMBEDDED_HELPER_IMAGE, buckets: { type: 'folder' } } as const;
  const running: Config = cluster.embedded ? { ...config, ...standIn } : config;
  const deps = await createDeps(running, { access: cluster.access, clusterWarnings: cluster.warnings, deliver: tasks.deliver });
  const services = createServices(deps);
  tasks.serve(deps, services);
  const key = await ensureDevelopmentKey(deps.store, config.dataDirectory);
  const server = createFunctionServer('api', createApiApp(deps, services));
  // The first caller should not wait for what can be had before. A cluster of somebody else's may be away: it is not waited for.
  await Promise.all([client, framework, cluster.embedded ? deps.kubernetes() : undefined]);
  // Before anybody can change anything, so that the journal has it.
  const journal = deps.openSessionJournal?.();
  const stopFollowing = journal && followChanges(deps, services, journal);
  const url = await listen(server, config.port);
  const stopSweeping = sweepRegularly(deps, services, config.sweepSeconds);
  return {
    url,
    keyFile: key.file,
    stop: async () => {
      await stopSweeping();
      await drain(server);
      await stopFollowing?.();
      await deps.close();
    },
  };
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

/**
 * At once, for what the last run left behind, and then every `seconds`; never two at a time. The returned function stops it and waits
 * for the pass that is running, ten seconds at most: the store must not be closed under it.
 */
export function sweepRegularly(deps: Pick<Deps, 'log'>, services: Pick<Services, 'sweep'>, seconds: number): () => Promise<void> {
  let running = Promise.resolve();
  let busy = false;
  const pass = async (): Promise<void> => {
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
    if (!busy) running = pass();
  };
  next();
  const timer = setInterval(next, seconds * 1000);
  return async () => {
    clearInterval(timer);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const patience = setTimeout(resolve, LAST_SWEEP_MS);
    await Promise.race([running, late]);
    clearTimeout(patience);
  };
}

/** What the `events` unit does in production, from the store's journal. The returned function ends it and waits for the change at hand. */
function followChanges(deps: Pick<Deps, 'log'>, services: Pick<Services, 'handleChange'>, journal: Journal): () => Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await followSessions(deps, journal, (change) => services.handleChange(change), signal);
      } catch (error) {
        deps.log.log('warn', 'the journal of sessions cannot be read; trying again', { component: 'events', error });
        await delay(FOLLOW_AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  const following = follow();
  return async () => {
    stopping.abort();
    await following;
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
