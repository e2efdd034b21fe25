/**
 * Kubernetes as the domains see it: the library's typed calls, and two streams of our own, a watch that resumes by itself and an
 * exec stream with backpressure. There is one implementation (`client.ts`); the cluster behind it is real or embedded, and the
 * contract suite in `test/contract/kubernetes/` runs against both.
 *
 * @module
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { CoreV1Api, KubernetesObject, NetworkingV1Api, VersionApi } from '@kubernetes/client-node';

export interface Kubernetes {
  /** Typed calls. They throw the library's `ApiException`; `translate` in `errors.ts` makes an `AppError` of it. */
  readonly core: CoreV1Api;
  readonly networking: NetworkingV1Api;
  readonly version: VersionApi;

  watch<T extends KubernetesObject>(options: WatchOptions): AsyncIterable<WatchEvent<T>>;

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
