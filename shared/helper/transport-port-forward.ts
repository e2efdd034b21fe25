/**
 * The helper by a port-forward to its port, for clusters that forbid exec.
 *
 * @module
 */
import type { Kubernetes } from '../kubernetes/port.ts';
import { helperPort } from './address.ts';
import { proveAndVerify } from './handshake.ts';
import { readPod, restarting, translateOpening, unreachable, untilOpened } from './opening.ts';
import type { Transport } from './port.ts';

export interface PortForwardTransportOptions {
  readonly kubernetes: () => Promise<Kubernetes>;
}

/** The words are containerd's. Nothing else listens on this port, and the helper does as long as the container runs. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && error.cause.message.includes('connection refused');
}

/** The handshake is needed here too: behind the port may be any program of the session's. */
export function createPortForwardTransport({ kubernetes }: PortForwardTransportOptions): Transport {
  return {
    kind: 'port-forward',
    async open(target, signal) {
      signal.throwIfAborted();
      if (target.secret === undefined) throw unreachable("The session's pod has no secret to be reached with by TCP.");
      const cluster = await kubernetes();
      const { namespace, pod } = target;
      const life = untilOpened(signal);
      try {
        const forward = cluster.portForward({ namespace, pod, port: helperPort, signal: life.signal }).catch((error: unknown) => {
          throw translateOpening(error, life.signal);
        });
        const [stream] = await Promise.all([forward, readPod(cluster, target, life.signal)]);
        const channel = await proveAndVerify(stream, target.secret, life.signal);
        life.opened();
        return channel;
      } catch (error) {
        life.abandon();
        signal.throwIfAborted();
        throw isRefused(error) ? restarting(error) : error;
      }
    },
  };
}
