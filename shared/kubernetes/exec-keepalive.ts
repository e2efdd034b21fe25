/**
 * Notices within a minute that the other end of a WebSocket is dead, though no byte is due.
 *
 * @module
 */
import type { WebSocket } from 'ws';

export interface KeepAlive {
  readonly pingEveryMs: number;
  /** How long the peer may leave a ping unanswered. */
  readonly silenceMs: number;
}

export interface PeerWatch {
  /** Input was sent: the next pongs may be late. */
  sent(): void;
  stop(): void;
}

const defaults: KeepAlive = { pingEveryMs: 20_000, silenceMs: 35_000 };

/**
 * Pings, and calls `lost` where nothing comes back. Two silences are not death: nothing can arrive while we hold the socket back
 * (`isPaused`), and a pong queues behind input that the command need not read. The kernel's own keepalive remains for those.
 */
export function watchPeer(socket: WebSocket, lost: (message: string) => void, { pingEveryMs, silenceMs }: KeepAlive = defaults): PeerWatch {
  let heardAt = performance.now();
  let pings = 0;
  // The pong to this ping says that all input before it has been taken.
  let inputTakenBy = 0;
  const heard = (): void => {
    heardAt = performance.now();
  };
  socket.on('message', heard);
  socket.on('pong', (payload) => {
    heard();
    if (Number(payload.toString()) >= inputTakenBy) inputTakenBy = 0;
  });
  const timer = setInterval(() => {
    if (socket.isPaused || inputTakenBy !== 0) heard();
    if (performance.now() - heardAt > silenceMs) return lost('The server has gone silent.');
    pings += 1;
    socket.ping(String(pings), undefined, () => undefined);
  }, pingEveryMs);
  timer.unref();
  return {
    sent: () => {
      inputTakenBy = pings + 1;
    },
    stop: () => clearInterval(timer),
  };
}
