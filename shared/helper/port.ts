/**
 * The helper in a session's pod, as the domains see it: a channel that carries HTTP/2 requests, whatever carries the channel.
 * The protocol is written down in `helper/PROTOCOL.md`.
 *
 * What a helper says is untrusted: the session's own code shares its pod and user and may imitate it.
 *
 * @module
 */
import type { Duplex, Readable } from 'node:stream';
import type { ChannelKind } from './model.ts';

/** One pod of one session; a later pod of the same session is another target. */
export interface PodTarget {
  readonly sessionId: string;
  readonly generation: number;
  readonly podUid: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** How the helper came, or comes, into the pod: by upload over exec, or by an init container. */
  readonly delivery: 'upload' | 'init';
  /** 32 bytes, known to this pod's helper and to the control plane; `undefined` where the pod has none: then only `exec` leads to it. */
  readonly secret: Uint8Array | undefined;
}

/** One way to the pod. `open` answers a stream on which the other side speaks HTTP/2 at once. */
export interface Transport {
  readonly kind: ChannelKind;
  /** Rejects with `AppError` (`pod_restarting`, `cluster_unavailable`, `helper_unreachable`, `helper_protocol_error`) or an abort. */
  open(target: PodTarget, signal: AbortSignal): Promise<Duplex>;
}

export interface HelperRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is read with backpressure and destroyed with the request. */
  readonly body?: Readable | Uint8Array;
  /** Resets the request's stream, which cancels what it asked for. */
  readonly signal: AbortSignal;
  /** Milliseconds until the response's headers; 10 s by default, longer for what takes long by nature (the hash of a large file). */
  readonly answerWithinMs?: number;
  /** The answer comes after the body's end, as for an upload: the time for it does not run while the body has nothing to send. */
  readonly answersAfterBody?: boolean;
  /** Called once the other side is known to have received the whole body, which is later than its last byte was sent. */
  readonly onBodyTaken?: () => void;
}

export interface HelperResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Destroying it resets the stream. Fails with `AppError` `helper_connection_lost` when the channel is lost. */
  readonly body: Readable;
}

export interface PodChannel {
  readonly kind: ChannelKind;
  /** Of the helper's process at the other end: what was started under another one is gone with it. */
  readonly bootId: string;
  readonly closed: boolean;
  /** Resolves with the response's headers, 10 s at most after the request was sent. */
  request(request: HelperRequest): Promise<HelperResponse>;
  /** Resolves when the other side has answered a ping; rejects after `timeoutMs`. */
  ping(timeoutMs: number): Promise<void>;
  close(): void;
}

/** The channels of this process, one per pod, opened at first use. */
export interface HelperPool {
  /** The pod's channel; callers at the same time share one opening. Throws `AppError`, also `helper_outdated`. */
  channel(target: PodTarget, signal: AbortSignal): Promise<PodChannel>;
  /** Sees to it that the helper runs in a new pod, where what leads there by `channel` would not bring it along. Errors as `channel` has them. */
  deliver(target: PodTarget, signal: AbortSignal): Promise<void>;
  /** Closes the channel of a pod that is gone. */
  forget(podUid: string): void;
  readonly size: number;
  close(): Promise<void>;
}
