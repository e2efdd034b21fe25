/**
 * What the domains are given, as plain arguments.
 *
 * @module
 */
import type { BlobStore } from './blobs/port.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { DocumentStore } from './documents/port.ts';
import type { HelperPool } from './helper/port.ts';
import type { NewId } from './ids.ts';
import type { Kubernetes } from './kubernetes/port.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import type { BucketStore } from './storage/buckets.ts';
import type { TaskQueue } from './tasks/port.ts';

export interface Deps {
  readonly config: Config;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly store: DocumentStore;
  readonly queue: TaskQueue;
  readonly blobs: BlobStore;
  /** Connects at first use, once; a failed attempt is made again at the next use. Throws `AppError` `cluster_unavailable`. */
  readonly kubernetes: () => Promise<Kubernetes>;
  /** Where volumes of type `gcs_fuse` are made; undefined where there can be none. */
  readonly buckets: BucketStore | undefined;
  /** The channels to the helpers in the pods. */
  readonly helpers: HelperPool;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** This Berth's id, on every object it makes. */
  readonly installation: string;
  /** 32 bytes or more; what is signed or hashed with it says so in its own derivation label. */
  readonly installationKey: Uint8Array;
  /** The one before the last rotation. */
  readonly previousInstallationKey: Uint8Array | undefined;
  /** What every session's `warnings` has to say here, e.g. that the cluster is a stand-in. */
  readonly clusterWarnings: readonly string[];
}
