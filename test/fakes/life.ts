/**
 * One life of Berth's domains in this process: the real store, queue and client, as `npm start` builds them, with a clock that can be
 * ahead and, if wanted, a death.
 */
import type { Dispatcher } from 'undici';
import { parseConfig } from '../../shared/config.ts';
import { openFolderBlobs } from '../../shared/blobs/folder.ts';
import { systemClock } from '../../shared/clock.ts';
import { createHelpers } from '../../shared/create-helpers.ts';
import { createServices } from '../../shared/create-services.ts';
import type { Deps } from '../../shared/deps.ts';
import { openDatabase } from '../../shared/documents/database.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import type { Services } from '../../shared/http/services.ts';
import { newId } from '../../shared/ids.ts';
import { connectKubernetes } from '../../shared/kubernetes/client.ts';
import type { Kubernetes } from '../../shared/kubernetes/port.ts';
import { createLogger } from '../../shared/observability/create-logger.ts';
import { createMetrics } from '../../shared/observability/create-metrics.ts';
import { openFolderBuckets } from '../../shared/storage/folder-buckets.ts';
import { openLocalQueue, type Deliver, type LocalQueue } from '../../shared/tasks/local.ts';
import type { Mortal } from './mortal.ts';

export interface LifeOptions {
  readonly databaseFile: string;
  readonly kubeconfigFile: string;
  readonly installation: string;
  readonly mortal?: Mortal;
  readonly interceptors?: readonly Dispatcher.DispatcherComposeInterceptor[];
  /** How far its clock is ahead of the real one: what has to wait its time is due at once. */
  readonly aheadMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Is given every line of its log. */
  readonly log?: (line: string) => void;
  /** The embedded cluster's; without it there are no buckets. */
  readonly bucketsFolder?: string;
}

export interface Life {
  readonly deps: Deps;
  readonly services: Services;
  readonly queue: LocalQueue;
  end(): Promise<void>;
}

export async function startLife(options: LifeOptions): Promise<Life> {
  const { mortal, aheadMs = 0 } = options;
  const clock = { now: () => new Date(Date.now() + aheadMs) };
  const database = openDatabase(options.databaseFile);
  const store = openSqlite({ database });
  const log = createLogger({
    level: options.log === undefined ? 'silent' : 'debug',
    format: 'json',
    ...(options.log && { write: options.log }),
  });
  const ready = Promise.withResolvers<Services>();
  const deliver: Deliver = async (target, payload, { signal }) => {
    try {
      await (await ready.promise).runTask(target, payload, signal);
      return 200;
    } catch {
      return 503;
    }
  };
  const queue = openLocalQueue({ database, deliver, clock, retry: { minBackoffMs: 20, maxBackoffMs: 500 } });
  const kubernetes = await connectKubernetes(
    { type: 'kubeconfig', file: options.kubeconfigFile },
    { interceptors: [...(mortal === undefined ? [] : [mortal.interceptor]), ...(options.interceptors ?? [])] },
  );
  const config = parseConfig({ BERTH_NAMESPACE_LINGER_SECONDS: '0', ...options.env });
  const metrics = createMetrics();
  const connect = (): Promise<Kubernetes> => Promise.resolve(kubernetes);
  const helpers = createHelpers({ config, kubernetes: connect, clock: systemClock, log, metrics });
  const deps: Deps = {
    config,
    clock,
    newId,
    store: mortal === undefined ? store : mortal.store(store),
    queue: mortal === undefined ? queue : mortal.queue(queue),
    blobs: openFolderBlobs(`${options.databaseFile}-blobs`),
    kubernetes: connect,
    buckets: options.bucketsFolder === undefined ? undefined : openFolderBuckets(options.bucketsFolder),
    helpers,
    log,
    metrics,
    installation: options.installation,
    installationKey: Buffer.alloc(32, 7),
    previousInstallationKey: undefined,
    clusterWarnings: [],
  };
  const services = createServices(deps);
  ready.resolve(services);
  return {
    deps,
    services,
    queue,
    end: async () => {
      await queue.close();
      await helpers.close();
      await kubernetes.close();
      await store.close();
      database.close();
    },
  };
}
