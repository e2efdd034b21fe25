/**
 * A channel to the helper of one pod: a connection whose other side has said who it is.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';
import { AppError } from '../errors/app-error.ts';
import { readJson } from './client-answer.ts';
import { openConnection, type Connection } from './connection.ts';
import type { ChannelKind } from './model.ts';
import type { HelperRequest, HelperResponse, PodChannel } from './port.ts';
import { healthSchema, OLDEST_PROTOCOL, PROTOCOL, type Health } from './protocol.ts';

export interface Channel extends PodChannel {
  /** No request is open and none waits. */
  readonly idle: boolean;
  /** Milliseconds of the clock: when a request last began or ended, or `touch` was called. */
  readonly lastUsedMs: number;
  touch(): void;
}

export interface ChannelOptions {
  readonly clock: Clock;
  /** Called once when the channel ends, whoever ends it. */
  readonly onClose: (channel: Channel, reason: AppError) => void;
}

/**
 * Asks what answers on the stream for its protocol. The stream is the channel's from here on. Throws `AppError` `helper_outdated`,
 * `helper_protocol_error`, `helper_connection_lost`.
 */
export async function openChannel(stream: Duplex, kind: ChannelKind, signal: AbortSignal, options: ChannelOptions): Promise<Channel> {
  let channel: Channel | undefined;
  const onClose = (reason: AppError): void => {
    if (channel !== undefined) options.onClose(channel, reason);
  };
  const connection = openConnection(stream, { kind, onClose });
  try {
    signal.throwIfAborted();
    const health = await readJson(await connection.request({ method: 'GET', path: '/health', signal }), healthSchema);
    refuseOutdated(health);
    signal.throwIfAborted();
    channel = createChannel(connection, health.boot_id, options.clock);
    return channel;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function refuseOutdated(health: Health): void {
  if (health.protocol >= OLDEST_PROTOCOL && health.protocol <= PROTOCOL) return;
  throw new AppError(
    'helper_outdated',
    `The helper in the pod speaks protocol ${String(health.protocol)}; ${String(OLDEST_PROTOCOL)} to ${String(PROTOCOL)} are spoken here.`,
  );
}

function createChannel(connection: Connection, bootId: string, clock: Clock): Channel {
  const now = (): number => clock.now().getTime();
  let lastUsedMs = now();
  const touch = (): void => {
    lastUsedMs = now();
  };
  return {
    kind: connection.kind,
    bootId,
    get closed() {
      return connection.closed;
    },
    get idle() {
      return connection.openRequests === 0;
    },
    get lastUsedMs() {
      return lastUsedMs;
    },
    touch,
    request: async (request: HelperRequest): Promise<HelperResponse> => {
      touch();
      const response = await connection.request(request);
      response.body.once('close', touch);
      return response;
    },
    ping: (timeoutMs) => connection.ping(timeoutMs),
    close: () => connection.close(),
  };
}
