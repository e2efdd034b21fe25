/**
 * The framing of `pods/exec` over a WebSocket: each binary message is one channel byte and its payload. Pure functions.
 *
 * The channels and the Status at the end are those of Kubernetes' remote command protocol, subprotocols `v4.channel.k8s.io` and
 * `v5.channel.k8s.io` (https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go).
 * v5 adds one thing: message `[255, channel]` closes one channel and leaves the others open, which is how a command sees the end of its input.
 *
 * @module
 */
import type { ExecExit, ExecOptions } from './port.ts';

export const subprotocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

export const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/** What a message of the server means. `invalid` is a broken peer: what follows cannot be trusted. */
export type ServerFrame =
  | { readonly type: 'stdout'; readonly payload: Buffer }
  | { readonly type: 'stderr'; readonly payload: Buffer }
  | { readonly type: 'status'; readonly payload: Buffer }
  | { readonly type: 'end'; readonly channel: number }
  | { readonly type: 'invalid'; readonly message: string };

/** The path and query of the exec request. Under `tty` the terminal carries both outputs, and asking for stderr is refused. */
export function execPath(options: ExecOptions): string {
  const query = new URLSearchParams({ container: options.container, stdin: String(options.stdin ?? false), stdout: 'true' });
  query.set('stderr', String(options.tty !== true));
  query.set('tty', String(options.tty ?? false));
  for (const word of options.command) query.append('command', word);
  return `/api/v1/namespaces/${encodeURIComponent(options.namespace)}/pods/${encodeURIComponent(options.pod)}/exec?${query.toString()}`;
}

/** Cuts `bytes` into stdin messages of at most `limit` bytes of payload each, so that a resize or a ping can go between them. */
export function stdinFrames(bytes: Uint8Array, limit: number): Buffer[] {
  const frames: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; offset += limit) {
    const part = bytes.subarray(offset, offset + limit);
    const frame = Buffer.allocUnsafe(part.length + 1);
    frame[0] = channels.stdin;
    frame.set(part, 1);
    frames.push(frame);
  }
  return frames;
}

/** The message of v5 that ends stdin. */
export function stdinEndFrame(): Buffer {
  return Buffer.from([channels.close, channels.stdin]);
}

/** Kubernetes reads the size as two unsigned 16-bit numbers and takes a zero for "unknown", so both are kept within 1 and 65,535. */
export function resizeFrame(columns: number, rows: number): Buffer {
  const bounded = (size: number): number => Math.min(65_535, Math.max(1, Math.trunc(size) || 1));
  return Buffer.concat([Buffer.from([channels.resize]), Buffer.from(JSON.stringify({ Width: bounded(columns), Height: bounded(rows) }))]);
}

export function parseServerFrame(message: Buffer, isBinary: boolean): ServerFrame {
  if (!isBinary) return { type: 'invalid', message: 'a text message' };
  const payload = message.subarray(1);
  switch (message[0]) {
    case channels.stdout:
      return { type: 'stdout', payload };
    case channels.stderr:
      return { type: 'stderr', payload };
    case channels.status:
      return { type: 'status', payload };
    case channels.close:
      return payload[0] === undefined ? { type: 'invalid', message: 'a close of no channel' } : { type: 'end', channel: payload[0] };
    case undefined:
      return { type: 'invalid', message: 'an empty message' };
    default:
      return { type: 'invalid', message: `a message on channel ${String(message[0])}` };
  }
}

interface ExecStatus {
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/**
 * What the Status on the error channel says of the command. A signal is 128 + its number, as the container runtime reports it;
 * `failed` means that the command did not run (not found, container gone), with the runtime's own words.
 */
export function parseExecStatus(text: string): ExecExit {
  let status: ExecStatus;
  try {
    status = JSON.parse(text) as ExecStatus;
  } catch {
    return { type: 'failed', reason: 'InternalError', message: text };
  }
  if (status.status === 'Success') return { type: 'exited', exitCode: 0 };
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  const exitCode = Number(cause?.message);
  if (status.reason === 'NonZeroExitCode' && Number.isInteger(exitCode)) return { type: 'exited', exitCode };
  return { type: 'failed', reason: status.reason ?? 'Unknown', message: status.message ?? text };
}
