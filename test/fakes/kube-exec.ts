/**
 * Exec streams of the badly behaved server in `kube-server.ts`.
 */
import type { WebSocket } from 'ws';
import { createExecDialer } from '../../shared/kubernetes/exec-handshake.ts';
import type { KeepAlive } from '../../shared/kubernetes/exec-keepalive.ts';
import { openExecStream } from '../../shared/kubernetes/exec-stream.ts';
import type { ExecOptions, ExecStream } from '../../shared/kubernetes/port.ts';
import type { KubeServer } from './kube-server.ts';

export const success = JSON.stringify({ metadata: {}, status: 'Success' });

export const message = (channel: number, payload: string | Buffer = ''): Buffer =>
  Buffer.concat([Buffer.from([channel]), Buffer.from(payload)]);

export function finish(socket: WebSocket, status = success): void {
  socket.send(message(3, status));
  socket.close(1000);
}

export function open(server: KubeServer, options: Partial<ExecOptions> = {}, keepAlive?: KeepAlive): Promise<ExecStream> {
  const dialer = createExecDialer(server.endpoint);
  return openExecStream(
    dialer,
    { namespace: 'n', pod: 'p', container: 'c', command: ['x'], signal: AbortSignal.timeout(20_000), ...options },
    keepAlive,
  );
}
