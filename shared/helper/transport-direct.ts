/**
 * The helper by TCP to the pod's address, where there is a route to it.
 *
 * @module
 */
import { connect, type Socket } from 'node:net';
import type { V1Pod } from '@kubernetes/client-node';
import type { Kubernetes } from '../kubernetes/port.ts';
import { helperPort } from './address.ts';
import { startDeadline } from '../deadline.ts';
import { proveAndVerify } from './handshake.ts';
import { readPod, restarting, unreachable } from './opening.ts';
import type { PodTarget, Transport } from './port.ts';

export interface DirectTransportOptions {
  readonly kubernetes: () => Promise<Kubernetes>;
  /** How long the TCP connection may take. Where there is no route, packets vanish, and this is how it shows. */
  readonly connectTimeoutMs?: number;
  /** Where the helpers listen; 7171. */
  readonly port?: number;
}

const CONNECT_TIMEOUT_MS = 2_000;
const KEEPALIVE_MS = 15_000;

export function createDirectTransport(options: DirectTransportOptions): Transport {
  const { kubernetes, connectTimeoutMs = CONNECT_TIMEOUT_MS, port = helperPort } = options;
  return {
    kind: 'direct',
    async open(target, signal) {
      signal.throwIfAborted();
      if (target.secret === undefined) throw unreachable("The session's pod has no secret to be reached with by TCP.");
      const pod = await readPod(await kubernetes(), target, signal);
      const address = pod.status?.podIP;
      if (address === undefined) throw unreachable("The session's pod has no address yet.");
      const socket = await dial({ host: address, port }, signal, connectTimeoutMs).catch((error: unknown) => {
        signal.throwIfAborted();
        if (isRefused(error) || !isRunning(pod, target)) throw restarting(error);
        throw unreachable("The address of the session's pod cannot be reached.", error);
      });
      return proveAndVerify(socket, target.secret, signal);
    },
  };
}

/** The helper is PID 1 and listens as long as the container runs; the kubelet tells of its end a moment later. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}

function isRunning(pod: V1Pod, target: PodTarget): boolean {
  return pod.status?.containerStatuses?.find(({ name }) => name === target.container)?.state?.running !== undefined;
}

async function dial(address: { readonly host: string; readonly port: number }, signal: AbortSignal, timeoutMs: number): Promise<Socket> {
  using deadline = startDeadline(timeoutMs, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ ...address, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS });
  const abort = (): void => reject(deadline.signal.reason);
  deadline.signal.addEventListener('abort', abort, { once: true });
  socket.once('connect', () => resolve(socket)).once('error', reject);
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    deadline.signal.removeEventListener('abort', abort);
    socket.off('error', reject);
    // An error between here and the handshake's own listeners must not end the process.
    socket.on('error', () => undefined);
  }
}
