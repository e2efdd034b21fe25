/**
 * What the two halves of the embedded cluster know of each other: `api/` (the Kubernetes REST API, its objects and controllers)
 * and `node/` (the kubelet: containers as sandboxed processes). They run in one process and meet only here.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { KubernetesObject } from '@kubernetes/client-node';

/** A kind by its group, version and plural: `{group: '', version: 'v1', plural: 'pods'}`. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export type ObjectEvent<T> = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T };

/** The object store in process, without HTTP, authentication or admission: what controllers and the kubelet use. All calls are synchronous. */
export interface Objects {
  get<T extends KubernetesObject>(resource: Resource, namespace: string | undefined, name: string): T | undefined;
  list<T extends KubernetesObject>(resource: Resource, namespace?: string): readonly T[];
  create<T extends KubernetesObject>(resource: Resource, object: T): T;
  /**
   * Reads, changes and writes in one step (nothing else runs between); bumps `resourceVersion` if something changed. The callback gets a
   * copy that it may mutate. Returns `undefined` where the object is gone. Removing the last finalizer of a deleted object removes it.
   */
  update<T extends KubernetesObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    change: (object: T) => void,
  ): T | undefined;
  /** Removes the object now, whatever its finalizers and grace period say: what a kubelet does when a pod's processes are gone. */
  remove(resource: Resource, namespace: string | undefined, name: string): void;
  /** Calls the listener with every present object as `ADDED`, then with each change, in order, until the returned function is called. */
  subscribe<T extends KubernetesObject>(resource: Resource, listener: (event: ObjectEvent<T>) => void): () => void;
  /** Writes an event (`kubectl describe` shows it); repeated ones are counted. */
  recordEvent(about: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string, component: string): void;
}

export interface ContainerExecOptions {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A process started in a container. Streams have backpressure; cutting the caller's connection leaves the process running, as on a real kubelet. */
export interface ContainerProcess {
  readonly stdin: NodeJS.WritableStream | undefined;
  readonly stdout: NodeJS.ReadableStream | undefined;
  readonly stderr: NodeJS.ReadableStream | undefined;
  resize(columns: number, rows: number): void;
  /** 128 + signal where a signal ended it, as a container runtime reports it. */
  readonly exitCode: Promise<number>;
}

export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly limitBytes?: number;
  readonly timestamps: boolean;
  readonly signal: AbortSignal;
}

/** What the API server asks of the kubelet. Rejections are `NodeError`s. */
export interface Node {
  exec(namespace: string, pod: string, container: string, options: ContainerExecOptions): Promise<ContainerProcess>;
  logs(namespace: string, pod: string, container: string, options: LogOptions): AsyncIterable<Uint8Array>;
  /** A TCP connection to a port on which a process of the pod listens. */
  connect(namespace: string, pod: string, port: number): Promise<Duplex>;
  /** Ends every process of every pod and resolves when they are gone; the pods' objects and folders stay, for the next start. */
  stop(): Promise<void>;
}

/** What a container runtime calls a pod in its messages: 64 hexadecimal digits. */
export function sandboxId(podUid: string): string {
  return createHash('sha256').update(podUid).digest('hex');
}

/** `reason` and `code` of the Kubernetes `Status` that the API server answers. */
export class NodeError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.name = 'NodeError';
    this.code = code;
    this.reason = reason;
  }
}

export interface Capabilities {
  readonly sandbox: boolean;
  readonly pidNamespace: boolean;
  readonly networkPolicy: boolean;
  readonly memoryLimit: boolean;
  readonly registry: boolean;
  /** `berth.local/empty` and `berth.local/helper`: a sandbox, and a helper for this machine. */
  readonly emptyImages: boolean;
  /** An emptyDir of medium `Memory` is in memory, and full at its limit. */
  readonly memoryVolumes: boolean;
}
