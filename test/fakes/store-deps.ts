/**
 * What the domains are given where the store is what matters: a cluster that is away, a queue that keeps what is laid.
 */
import { openFolderBlobs } from '../../shared/blobs/folder.ts';
import type { Deps } from '../../shared/deps.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import type { AppDeps } from '../../shared/http/create-app.ts';
import { parseConfig } from '../../shared/config.ts';
import { newId } from '../../shared/ids.ts';
import { createLogger } from '../../shared/observability/create-logger.ts';
import { createMetrics } from '../../shared/observability/create-metrics.ts';
import type { Task } from '../../shared/tasks/port.ts';
import { testNow } from './session-document.ts';

export interface StoreDeps extends Deps {
  /** In the order in which they were laid. */
  readonly tasks: readonly Task[];
}

export interface StoreDepsOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly now?: () => Date;
}

export function storeDeps(store: DocumentStore, { env = {}, now = () => testNow }: StoreDepsOptions = {}): StoreDeps {
  return depsOf({
    clock: { now },
    config: parseConfig(env),
    log: createLogger({ level: 'silent', format: 'text' }),
    metrics: createMetrics(),
    newId,
    store,
  });
}

/** The same on what an app was made with. */
export function depsOf(app: AppDeps): StoreDeps {
  const away = (): Promise<never> => Promise.reject(new AppError('cluster_unavailable', 'The cluster is away in this test.'));
  const tasks: Task[] = [];
  return {
    ...app,
    tasks,
    queue: {
      enqueue: (task) => {
        const isNew = !tasks.some(({ name }) => name === task.name);
        if (isNew) tasks.push(task);
        return Promise.resolve(isNew ? 'enqueued' : 'duplicate');
      },
      withdraw: () => Promise.resolve(),
      close: () => Promise.resolve(),
    },
    // Never touched: a folder is made with the first blob.
    blobs: openFolderBlobs('/nonexistent/berth-blobs'),
    buckets: undefined,
    kubernetes: away,
    helpers: { channel: away, deliver: away, forget: () => undefined, size: 0, close: () => Promise.resolve() },
    installation: 'test',
    installationKey: Buffer.alloc(32, 7),
    previousInstallationKey: undefined,
    clusterWarnings: [],
  };
}
