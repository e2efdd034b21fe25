/**
 * Kubernetes as the domains see it: the library's typed calls, and two streams of our own, a watch that resumes by itself and an
 * exec stream with backpressure. There is one implementation (`client.ts`); the cluster behind it is real or embedded, and the
 * contract suite in `test/contract/kubernetes/` runs against both.
 *
 * @module
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import type {
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubernetesObject,
  NetworkingV1Api,
  StorageV1Api,
  VersionApi,
} from '@kubernetes/client-node';

export interface Kubernetes {
  /** Typed calls. They throw the library's `ApiException`; `translate` in `errors.ts` makes an `AppError` of it. */
  readonly core: CoreV1Api;
  readonly networking: NetworkingV1Api;
  readonly batch: BatchV1Api;
  readonly storage: StorageV1Api;
  /** What is no part of Kubernetes itself: snapshots of volumes. */
  readonly custom: CustomObjectsApi;
  readonly version: VersionApi;

  watch<T extends KubernetesObject>(options: WatchOptions): AsyncIterable<WatchEvent<T>>;

  /** What has changed since a version: one short request, which ends by itself. For those who look now and then instead of following. */
  changesSince<T extends KubernetesObject>(options: ChangesOptions): AsyncIterable<ChangeEvent<T>>;

  /** One page of a collection, the objects' metadata alone: a fraction of their size, and no right to more is used. */
  listMetadata(options: MetadataListOptions): Promise<MetadataPage>;

  exec(options: ExecOptions): Promise<ExecStream>;

  portForward(options: PortForwardOptions): Promise<Duplex>;

  /** Closes the shared connections. */
  close(): Promise<void>;
}

export interface WatchOptions {
  /** The collection's path: `/api/v1/namespaces/x/pods`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version. Absent: the present state comes first, as `ADDED`. */
  readonly resourceVersion?: string;
  readonly signal: AbortSignal;
}

/**
 * `RESTARTED` means that the server has forgotten the version (410 Gone): what follows is the present state as `ADDED`, and what is not
 * among it until the next `BOOKMARK` is gone.
 */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }
  | { readonly type: 'RESTARTED' };

export interface ChangesOptions {
  /** The collection's path: `/api/v1/pods`. */
  readonly path: string;
  readonly labelSelector?: string;
  /** Events after this version. Throws `KubernetesError` 410 where the server has forgotten it. */
  readonly resourceVersion: string;
  /** When the server ends it; 3 at least: where others have changed something meanwhile, a bookmark comes two seconds before. */
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

export type ChangeEvent<T> = Exclude<WatchEvent<T>, { readonly type: 'RESTARTED' }>;

export interface MetadataListOptions {
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit: number;
  /** `continue` of the page before. Throws `KubernetesError` 410 where that is too long ago. */
  readonly continue?: string;
  readonly signal?: AbortSignal;
}

export interface MetadataPage {
  readonly items: readonly ObjectMetadata[];
  /** All pages show the state of the first one, which this version names. */
  readonly resourceVersion: string;
  /** Absent on the last page. */
  readonly continue?: string;
}

/** What every object has, whatever its kind. */
export interface ObjectMetadata {
  readonly name: string;
  /** Empty for what lies in none. */
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339, whole seconds. */
  readonly createdAt: string;
  /** When it is, or was to be, gone; null where nobody has deleted it. */
  readonly deletedAt: string | null;
  /** Another object made it and takes it along. */
  readonly isOwned: boolean;
}

export interface ExecOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Opens stdin; without it the command reads end of file at once. */
  readonly stdin?: boolean;
  readonly tty?: boolean;
  /** Closes the stream. The process itself may live on: Kubernetes has no way to end it. */
  readonly signal: AbortSignal;
}

/** How an exec stream ended: the process ended with a code, or the connection was lost and nobody knows. */
export type ExecExit =
  | { readonly type: 'exited'; readonly exitCode: number }
  | { readonly type: 'failed'; readonly reason: string; readonly message: string }
  | { readonly type: 'lost'; readonly message: string };

export interface ExecStream {
  /** `end()` half-closes where the server speaks v5 (`halfClose`); on v4 the command never sees the end of its input. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Ends at once under `tty`. */
  readonly stderr: Readable;
  readonly halfClose: boolean;
  resize(columns: number, rows: number): void;
  /** Never rejects. Settles after stdout and stderr have ended and all their bytes are readable. */
  readonly exit: Promise<ExecExit>;
  /** stdin and stdout as one stream, for a protocol of one's own. */
  readonly duplex: Duplex;
  close(): void;
}

export interface PortForwardOptions {
  readonly namespace: string;
  readonly pod: string;
  /** TCP, on the loopback address within the pod. */
  readonly port: number;
  /** Closes the stream. */
  readonly signal: AbortSignal;
}
