/**
 * Configuration: read from the environment once, by `functions/` and `dev/` alone, and passed on as a value.
 *
 * @module
 */
import { z } from 'zod';
import { usersConfig, userVariables, type UsersConfig } from './config-users.ts';
import { userTypes } from './entitlements/model.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const flag = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true');
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const queueName = z.string().regex(/^projects\/[^/]+\/locations\/[^/]+\/queues\/[^/]+$/, 'projects/P/locations/L/queues/Q');

const environment = z.object({
  PORT: port.default(8080),
  BERTH_DATA_DIR: z.string().min(1).default('.berth'),
  BERTH_STORE: z.enum(['sqlite', 'firestore']).default('sqlite'),
  BERTH_QUEUE: z.enum(['local', 'cloud-tasks']).default('local'),
  BERTH_CLUSTER: z.enum(['embedded', 'kubeconfig', 'in-cluster', 'gke', 'auto']).optional(),
  BERTH_KUBECONFIG: z.string().min(1).optional(),
  BERTH_KUBECONFIG_CONTEXT: z.string().min(1).optional(),
  BERTH_INSTALLATION: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'lower-case letters, digits and dashes, 40 at most')
    .optional(),
  BERTH_INSTALLATION_KEY: z.string().min(32, 'at least 32 characters').optional(),
  BERTH_INSTALLATION_KEY_PREVIOUS: z.string().min(32, 'at least 32 characters').optional(),
  BERTH_NAMESPACE_PREFIX: z
    .string()
    .regex(/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/, 'lower-case letters, digits and dashes, 20 at most')
    .default('berth'),
  BERTH_DEFAULT_USER_TYPE: z.enum(userTypes).default('normal'),
  ...userVariables,
  BERTH_PUBLIC_URL: z.url().optional(),
  BERTH_TASKS_URL: z.url().optional(),
  BERTH_TASKS_QUEUE: queueName.optional(),
  BERTH_WEBHOOKS_QUEUE: queueName.optional(),
  BERTH_TASKS_SERVICE_ACCOUNT: z.string().min(1).optional(),
  BERTH_TASKS_ISSUER: z.url().optional(),
  BERTH_INTERNAL_AUDIENCES: list.default([]),
  BERTH_CONTROL_PLANE_CIDR: z.string().min(1).optional(),
  BERTH_DENIED_EGRESS_CIDRS: list.default([]),
  BERTH_POD_CHANNEL: z.enum(['auto', 'direct', 'exec', 'port-forward']).default('auto'),
  BERTH_HELPER_IMAGE: z.string().min(1).optional(),
  BERTH_HELPER_DELIVERY: z.enum(['auto', 'upload', 'init']).default('auto'),
  BERTH_DEV_IMAGES: list.default([]),
  BERTH_DEV_RUNTIME: z.enum(['auto', 'bwrap', 'unshare', 'plain']).default('auto'),
  BERTH_NAMESPACE_LINGER_SECONDS: z.coerce.number().int().min(0).max(86_400).default(60),
  BERTH_SWEEP_SECONDS: z.coerce.number().int().min(1).max(3_600).default(60),
  BERTH_FULL_SWEEP_SECONDS: z.coerce.number().int().min(1).max(86_400).default(3_600),
  BERTH_ORPHAN_GRACE_SECONDS: z.coerce.number().int().min(0).max(86_400).default(30),
  BERTH_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  BERTH_LOG_FORMAT: z.enum(['json', 'text']).optional(),
  BERTH_BLOBS: z.enum(['folder', 'cloud-storage']).default('folder'),
  BERTH_BLOBS_BUCKET: z.string().min(3).max(222).optional(),
  BERTH_BUCKETS: z.enum(['folder', 'cloud-storage', 'none']).optional(),
  BERTH_BUCKETS_LOCATION: z.string().min(1).default('US'),
  BERTH_SNAPSHOT_CLASS: z.string().min(1).optional(),
  BERTH_WEBHOOKS_ALLOW_PRIVATE: flag.default(false),
  BERTH_HIDE_DOCS: flag.default(false),
  GKE_CLUSTER_NAME: z.string().min(1).optional(),
  GKE_CLUSTER_LOCATION: z.string().min(1).optional(),
  GOOGLE_CLOUD_PROJECT: z.string().min(1).optional(),
  FIRESTORE_DATABASE: z.string().min(1).default('(default)'),
  CLOUD_TASKS_EMULATOR_HOST: z.string().min(1).optional(),
  K_SERVICE: z.string().min(1).optional(),
});

/** Where the pods live; chosen once, at start, never changed at run time. */
export type ClusterChoice =
  | { readonly type: 'embedded' }
  | { readonly type: 'kubeconfig'; readonly file: string; readonly context?: string }
  | { readonly type: 'in-cluster' }
  | { readonly type: 'gke'; readonly project: string; readonly location: string; readonly name: string };

type Environment = z.output<typeof environment>;

export interface Config extends UsersConfig {
  readonly port: number;
  readonly dataDirectory: string;
  readonly store: { readonly type: 'sqlite' } | { readonly type: 'firestore'; readonly project: string; readonly database: string };
  readonly queue:
    | { readonly type: 'local' }
    | {
        readonly type: 'cloud-tasks';
        readonly queue: string;
        /** For deliveries to webhooks; absent: they share the other one. */
        readonly webhooksQueue: string | undefined;
        readonly url: string;
        readonly serviceAccount: string;
        readonly emulatorHost: string | undefined;
      };
  /** Where job output, archives and large results lie; a folder below `dataDirectory`, or a bucket. */
  readonly blobs: { readonly type: 'folder' } | { readonly type: 'cloud-storage'; readonly bucket: string };
  /** Where the buckets of `gcs_fuse` volumes are made. */
  readonly buckets:
    | { readonly type: 'folder' }
    | { readonly type: 'cloud-storage'; readonly project: string; readonly location: string }
    | { readonly type: 'none' };
  /** Of VolumeSnapshots; absent: the cluster's default class. */
  readonly snapshotClass: string | undefined;
  readonly cluster: ClusterChoice;
  /** `BERTH_CLUSTER=auto`: the embedded cluster stands in where the chosen one refuses at start. */
  readonly clusterFallback: boolean;
  readonly installation: string | undefined;
  readonly installationKey: string | undefined;
  /** The key before the last rotation: pods that were started with it are still reached. */
  readonly previousInstallationKey: string | undefined;
  readonly namespacePrefix: string;
  readonly namespaceLingerSeconds: number;
  readonly sweepSeconds: number;
  /** How often the sweep compares everything instead of what has changed. */
  readonly fullSweepSeconds: number;
  /** How old an object has to be before the sweep takes it for an orphan. */
  readonly orphanGraceSeconds: number;
  readonly defaultUserType: Environment['BERTH_DEFAULT_USER_TYPE'];
  /** Webhooks may go to private addresses and to http: for a laptop and for tests. */
  readonly webhooksAllowPrivate: boolean;
  /** Origin of absolute URLs in answers; absent: the request's own. */
  readonly publicUrl: string | undefined;
  readonly tasksIssuer: string | undefined;
  /** Further audiences of the identity tokens that internal units accept: Eventarc makes them for the unit's own URL. */
  readonly internalAudiences: readonly string[];
  readonly controlPlaneCidr: string | undefined;
  readonly deniedEgressCidrs: readonly string[];
  /** How the control plane reaches the helper in a pod. `auto`: direct where there is a route, else by exec. */
  readonly podChannel: Environment['BERTH_POD_CHANNEL'];
  /** Holds the helper, for images without a shell. */
  readonly helperImage: string | undefined;
  /** How the helper comes into a pod. `auto`: by upload, and by an init container where the image turns out to have no shell. */
  readonly helperDelivery: Environment['BERTH_HELPER_DELIVERY'];
  readonly devImages: readonly string[];
  readonly devRuntime: Environment['BERTH_DEV_RUNTIME'];
  readonly logLevel: Environment['BERTH_LOG_LEVEL'];
  /** Absent: text on a terminal, else JSON. */
  readonly logFormat: 'json' | 'text' | undefined;
  readonly docs: boolean;
  readonly onCloudRun: boolean;
  /** Google Cloud project. */
  readonly project: string | undefined;
}

/** A configuration that cannot work; each line names a variable and what to do. */
export class ConfigError extends Error {
  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'ConfigError';
  }
}

function need(value: string | undefined, name: string, why: string): string {
  if (value === undefined) throw new ConfigError([`${name}: must be set, because ${why}`]);
  return value;
}

function chooseCluster(env: Environment): ClusterChoice {
  const gke = env.GKE_CLUSTER_NAME !== undefined;
  const chosen = env.BERTH_CLUSTER === 'auto' ? undefined : env.BERTH_CLUSTER;
  if (chosen === 'kubeconfig' || (chosen === undefined && env.BERTH_KUBECONFIG !== undefined)) {
    const file = need(env.BERTH_KUBECONFIG, 'BERTH_KUBECONFIG', 'BERTH_CLUSTER is kubeconfig');
    return env.BERTH_KUBECONFIG_CONTEXT === undefined
      ? { type: 'kubeconfig', file }
      : { type: 'kubeconfig', file, context: env.BERTH_KUBECONFIG_CONTEXT };
  }
  if (chosen === 'gke' || (chosen === undefined && gke)) {
    return {
      type: 'gke',
      name: need(env.GKE_CLUSTER_NAME, 'GKE_CLUSTER_NAME', 'the pods go to GKE'),
      location: need(env.GKE_CLUSTER_LOCATION, 'GKE_CLUSTER_LOCATION', 'GKE_CLUSTER_NAME is set'),
      project: need(env.GOOGLE_CLOUD_PROJECT, 'GOOGLE_CLOUD_PROJECT', 'GKE_CLUSTER_NAME is set'),
    };
  }
  if (chosen === 'in-cluster') return { type: 'in-cluster' };
  if (env.K_SERVICE !== undefined) {
    throw new ConfigError(['GKE_CLUSTER_NAME: must be set on Cloud Run: the embedded cluster does not run there']);
  }
  return { type: 'embedded' };
}

function chooseStore(env: Environment): Config['store'] {
  if (env.BERTH_STORE === 'sqlite') return { type: 'sqlite' };
  const project = need(env.GOOGLE_CLOUD_PROJECT, 'GOOGLE_CLOUD_PROJECT', 'BERTH_STORE is firestore');
  return { type: 'firestore', project, database: env.FIRESTORE_DATABASE };
}

function chooseQueue(env: Environment): Config['queue'] {
  if (env.BERTH_QUEUE === 'local') return { type: 'local' };
  const why = 'BERTH_QUEUE is cloud-tasks';
  return {
    type: 'cloud-tasks',
    queue: need(env.BERTH_TASKS_QUEUE, 'BERTH_TASKS_QUEUE', why),
    webhooksQueue: env.BERTH_WEBHOOKS_QUEUE,
    url: need(env.BERTH_TASKS_URL, 'BERTH_TASKS_URL', why),
    serviceAccount: need(env.BERTH_TASKS_SERVICE_ACCOUNT, 'BERTH_TASKS_SERVICE_ACCOUNT', why),
    emulatorHost: env.CLOUD_TASKS_EMULATOR_HOST,
  };
}

function chooseBlobs(env: Environment): Config['blobs'] {
  if (env.BERTH_BLOBS === 'folder') {
    if (env.K_SERVICE === undefined) return { type: 'folder' };
    throw new ConfigError(['BERTH_BLOBS: must be cloud-storage on Cloud Run: a folder there is gone with its instance']);
  }
  return { type: 'cloud-storage', bucket: need(env.BERTH_BLOBS_BUCKET, 'BERTH_BLOBS_BUCKET', 'BERTH_BLOBS is cloud-storage') };
}

/** The embedded cluster mounts folders of this machine; another one mounts Cloud Storage, where there is a project for it. */
function chooseBuckets(env: Environment): Config['buckets'] {
  const elsewhere = env.GOOGLE_CLOUD_PROJECT === undefined ? 'none' : 'cloud-storage';
  const type = env.BERTH_BUCKETS ?? (chooseCluster(env).type === 'embedded' ? 'folder' : elsewhere);
  if (type !== 'cloud-storage') return { type };
  const project = need(env.GOOGLE_CLOUD_PROJECT, 'GOOGLE_CLOUD_PROJECT', 'BERTH_BUCKETS is cloud-storage');
  return { type, project, location: env.BERTH_BUCKETS_LOCATION };
}

/** The embedded cluster has an image of its own. */
export const EMBEDDED_HELPER_IMAGE = 'berth.local/helper';

function chooseHelperImage(env: Environment): string | undefined {
  const image = env.BERTH_HELPER_IMAGE ?? (chooseCluster(env).type === 'embedded' ? EMBEDDED_HELPER_IMAGE : undefined);
  return env.BERTH_HELPER_DELIVERY === 'init' ? need(image, 'BERTH_HELPER_IMAGE', 'BERTH_HELPER_DELIVERY is init') : image;
}

/** Empty variables count as absent, as every shell script that exports them expects. Throws `ConfigError` naming each wrong variable. */
export function parseConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  }
  const env = parsed.data;
  const users = usersConfig(env);
  if (users.faults.length > 0) throw new ConfigError(users.faults);
  if (env.BERTH_POD_CHANNEL === 'direct' && chooseCluster(env).type !== 'embedded') {
    need(env.BERTH_CONTROL_PLANE_CIDR, 'BERTH_CONTROL_PLANE_CIDR', 'BERTH_POD_CHANNEL is direct, and the pods let nobody else in');
  }
  return {
    port: env.PORT,
    dataDirectory: env.BERTH_DATA_DIR,
    store: chooseStore(env),
    queue: chooseQueue(env),
    buckets: chooseBuckets(env),
    blobs: chooseBlobs(env),
    snapshotClass: env.BERTH_SNAPSHOT_CLASS,
    cluster: chooseCluster(env),
    clusterFallback: env.BERTH_CLUSTER === 'auto',
    installation: env.BERTH_INSTALLATION,
    installationKey: env.BERTH_INSTALLATION_KEY,
    previousInstallationKey: env.BERTH_INSTALLATION_KEY_PREVIOUS,
    namespacePrefix: env.BERTH_NAMESPACE_PREFIX,
    namespaceLingerSeconds: env.BERTH_NAMESPACE_LINGER_SECONDS,
    sweepSeconds: env.BERTH_SWEEP_SECONDS,
    fullSweepSeconds: env.BERTH_FULL_SWEEP_SECONDS,
    orphanGraceSeconds: env.BERTH_ORPHAN_GRACE_SECONDS,
    defaultUserType: env.BERTH_DEFAULT_USER_TYPE,
    ...users.config,
    webhooksAllowPrivate: env.BERTH_WEBHOOKS_ALLOW_PRIVATE,
    publicUrl: env.BERTH_PUBLIC_URL?.replace(/\/+$/, ''),
    tasksIssuer: env.BERTH_TASKS_ISSUER,
    internalAudiences: env.BERTH_INTERNAL_AUDIENCES,
    controlPlaneCidr: env.BERTH_CONTROL_PLANE_CIDR,
    deniedEgressCidrs: env.BERTH_DENIED_EGRESS_CIDRS,
    podChannel: env.BERTH_POD_CHANNEL,
    helperImage: chooseHelperImage(env),
    helperDelivery: env.BERTH_HELPER_DELIVERY,
    devImages: env.BERTH_DEV_IMAGES,
    devRuntime: env.BERTH_DEV_RUNTIME,
    logLevel: env.BERTH_LOG_LEVEL,
    logFormat: env.BERTH_LOG_FORMAT,
    docs: !env.BERTH_HIDE_DOCS,
    onCloudRun: env.K_SERVICE !== undefined,
    project: env.GOOGLE_CLOUD_PROJECT,
  };
}
