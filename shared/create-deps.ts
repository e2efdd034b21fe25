/**
 * Builds what the domains are given from the configuration. Google's SDKs and the Kubernetes client are loaded when they are first
 * needed.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { openBlobs } from './blobs/open-blobs.ts';
import { systemClock } from './clock.ts';
import { ConfigError, type ClusterChoice, type Config } from './config.ts';
import type { Deps } from './deps.ts';
import { openDatabaseIn, openStore, type OpenedStore } from './documents/open-store.ts';
import { StoreError, type DocumentStore } from './documents/port.ts';
import { openJournal, type Journal } from './documents/sqlite-journal.ts';
import { createHelpers } from './create-helpers.ts';
import { newId } from './ids.ts';
import { translateKubernetesError } from './kubernetes/errors.ts';
import { requireSameCluster } from './kubernetes/identity.ts';
import type { Kubernetes } from './kubernetes/port.ts';
import type { ClusterAccess } from './kubernetes/access.ts';
import { createLogger } from './observability/create-logger.ts';
import { createMetrics } from './observability/create-metrics.ts';
import type { Logger } from './observability/logger.ts';
import { collections } from './sessions/collections.ts';
import type { SessionStatus } from './sessions/model.ts';
import { openBuckets } from './storage/open-buckets.ts';
import { openCloudTasks } from './tasks/cloud-tasks.ts';
import { openLocalQueue, type Deliver, type LocalQueueOptions } from './tasks/local.ts';
import type { TaskQueue } from './tasks/port.ts';

export interface DepsOptions {
  /** Where the pods live, where the configuration alone does not tell: the embedded cluster's kubeconfig. */
  readonly access?: ClusterAccess;
  readonly clusterWarnings?: readonly string[];
  /** Runs the tasks of the local queue; without it there can be none. `elsewhere`: another process on the same file runs them. */
  readonly deliver?: Deliver | 'elsewhere';
  readonly log?: Logger;
}

export interface OpenDeps extends Deps {
  /** What was written to sessions, where the store itself has to tell: Firestore has triggers. It begins with the first call. */
  readonly openSessionJournal: (() => Journal) | undefined;
  close(): Promise<void>;
}

/** Throws `ConfigError` where the configuration cannot work, and `StoreError` `unavailable`. */
export async function createDeps(config: Config, options: DepsOptions = {}): Promise<OpenDeps> {
  const log = options.log ?? loggerOf(config);
  const opened = await openStore(config);
  const { store, database } = opened;
  const queue = await openQueue(config, opened, options.deliver, log);
  const blobs = openBlobs(config);
  const identity = await ensureIdentity(config, store);
  const kubernetes = connectOnce(options.access ?? accessOf(config.cluster), store);
  const metrics = createMetrics();
  const helpers = createHelpers({ config, kubernetes: kubernetes.connect, clock: systemClock, log, metrics });
  return {
    config,
    clock: systemClock,
    newId,
    store,
    queue,
    blobs,
    kubernetes: kubernetes.connect,
    buckets: openBuckets(config),
    helpers,
    log,
    metrics,
    ...identity,
    clusterWarnings: options.clusterWarnings ?? [],
    openSessionJournal: database && (() => openJournal(database, collections.sessions)),
    close: async () => {
      await queue.close();
      await helpers.close();
      await kubernetes.close();
      await blobs.close();
      await opened.close();
    },
  };
}

function loggerOf(config: Config): Logger {
  return createLogger({
    level: config.logLevel,
    format: config.logFormat ?? (process.stdout.isTTY ? 'text' : 'json'),
    ...(config.project === undefined ? {} : { project: config.project }),
  });
}

async function openQueue(config: Config, opened: OpenedStore, deliver: DepsOptions['deliver'], log: Logger): Promise<TaskQueue> {
  if (config.queue.type === 'cloud-tasks') {
    const { webhooksQueue, ...options } = config.queue;
    return openCloudTasks({ ...options, ...(webhooksQueue === undefined ? {} : { queues: { webhook: webhooksQueue } }) });
  }
  if (deliver === undefined) {
    throw new ConfigError(['BERTH_QUEUE: "local" runs the tasks in the process of `npm start`; a function needs "cloud-tasks"']);
  }
  // Documents in Firestore and tasks on the laptop: the queue then has the file to itself.
  const database = opened.database ?? openDatabaseIn(config);
  const queue = openLocalQueue({ database, ...deliveryOf(deliver), clock: systemClock, log });
  if (opened.database !== undefined) return queue;
  return {
    enqueue: (task) => queue.enqueue(task),
    withdraw: (name) => queue.withdraw(name),
    close: async () => {
      await queue.close();
      database.close();
    },
  };
}

/** Receivers that answer late must not keep sessions from ending. */
const WEBHOOK_SLOTS = 5;

/** A queue that delivers nothing at a time only takes tasks in. */
function deliveryOf(deliver: Deliver | 'elsewhere'): Pick<LocalQueueOptions, 'deliver' | 'concurrency' | 'ownSlots'> {
  if (deliver === 'elsewhere') return { deliver: () => Promise.resolve(503), concurrency: 0 };
  return { deliver, ownSlots: { webhook: WEBHOOK_SLOTS } };
}

function accessOf(cluster: ClusterChoice): ClusterAccess {
  switch (cluster.type) {
    case 'embedded':
      throw new ConfigError(['BERTH_CLUSTER: the embedded cluster is started by `npm start` alone; name a cluster']);
    case 'kubeconfig':
      return cluster.context === undefined
        ? { type: 'kubeconfig', file: cluster.file }
        : { type: 'kubeconfig', file: cluster.file, context: cluster.context };
    default:
      return cluster;
  }
}

// With its transport and the library behind it this is most of a unit's code, and no request before the first that needs it should wait.
async function connect(access: ClusterAccess, store: DocumentStore): Promise<Kubernetes> {
  const { connectKubernetes } = await import('./kubernetes/client.ts');
  const kubernetes = await connectKubernetes(access);
  try {
    await requireSameCluster(store, kubernetes, () => hasSessions(store));
    return kubernetes;
  } catch (error) {
    await kubernetes.close();
    throw error;
  }
}

/** Sessions that have, or may have, something in the cluster. */
async function hasSessions(store: DocumentStore): Promise<boolean> {
  const value = ['creating', 'running', 'stopping', 'terminating'] satisfies readonly SessionStatus[];
  const page = await store.query(collections.sessions, { where: [{ path: 'status', operator: 'in', value }], limit: 1 });
  return page.documents.length > 0;
}

/** One connection for all; a failed attempt is forgotten, so that the next caller tries again. */
function connectOnce(access: ClusterAccess, store: DocumentStore): { connect(): Promise<Kubernetes>; close(): Promise<void> } {
  let connected: Promise<Kubernetes> | undefined;
  const connectShared = (): Promise<Kubernetes> => {
    connected ??= connect(access, store).catch((error: unknown) => {
      connected = undefined;
      throw error instanceof StoreError ? error : translateKubernetesError(error);
    });
    return connected;
  };
  return { connect: connectShared, close: async () => (await connected?.catch(() => undefined))?.close() };
}

interface IdentityDocument {
  readonly installation: string;
  readonly key: string;
}

/** The installation's id and key: the configuration's, or made once and kept in the store. */
async function ensureIdentity(
  config: Config,
  store: DocumentStore,
): Promise<Pick<Deps, 'installation' | 'installationKey' | 'previousInstallationKey'>> {
  const { installation, installationKey } = config;
  const previousInstallationKey = config.previousInstallationKey === undefined ? undefined : Buffer.from(config.previousInstallationKey);
  if (installation !== undefined && installationKey !== undefined) {
    return { installation, installationKey: Buffer.from(installationKey), previousInstallationKey };
  }
  const key = { collection: 'installation', id: 'identity' };
  const made: IdentityDocument = { installation: newId().slice(0, 10), key: randomBytes(32).toString('base64') };
  const identity = (await store.get<IdentityDocument>(key))?.data ?? (await createOrRead(store, key, made));
  return {
    previousInstallationKey,
    installation: installation ?? identity.installation,
    installationKey: installationKey === undefined ? Buffer.from(identity.key, 'base64') : Buffer.from(installationKey),
  };
}

async function createOrRead(
  store: DocumentStore,
  key: { collection: string; id: string },
  made: IdentityDocument,
): Promise<IdentityDocument> {
  try {
    await store.create(key, made);
    return made;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'already_exists') throw error;
    return (await store.get<IdentityDocument>(key))?.data ?? made;
  }
}
