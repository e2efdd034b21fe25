/**
 * The channels of this process to the helpers in pods: one per pod, opened at first use by however many callers come at once.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';
import { startDeadline } from '../deadline.ts';
import { AppError } from '../errors/app-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { openChannel, type Channel } from './channel.ts';
import { connectionLost } from './errors.ts';
import { Flight } from './pool-flight.ts';
import type { ChannelKind } from './model.ts';
import type { HelperPool, PodChannel, PodTarget, Transport } from './port.ts';

export type ChannelMode = ChannelKind | 'auto';

export interface HelperPoolOptions {
  readonly transports: readonly Transport[];
  /** `auto` tries `direct` once per pod, then takes `exec`. */
  readonly mode: ChannelMode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Milliseconds without a request after which a channel is closed; 5 min. */
  readonly idleMs?: number;
  /** Channels that are open or being opened; 500. */
  readonly mostChannels?: number;
}

const IDLE_MS = 5 * 60_000;
const MOST_CHANNELS = 500;
const PROBE_MS = 500;
const OPEN_MS = 30_000;
// An instance of Cloud Run that was frozen has run no timers: what lay unused may be dead without anybody having noticed.
const FRESH_MS = 5_000;
const PING_MS = 1_000;
/** Which kind leads to a pod is remembered for this many pods. */
const MOST_KINDS = 10_000;

export function createHelperPool(options: HelperPoolOptions): HelperPool {
  return new Pool(options);
}

interface Entry {
  channel: Channel | undefined;
  flight: Flight<Channel> | undefined;
}

class Pool implements HelperPool {
  readonly #options: HelperPoolOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #kinds = new Map<string, ChannelKind>();
  readonly #idleTimer: NodeJS.Timeout;
  #closed = false;

  constructor(options: HelperPoolOptions) {
    this.#options = options;
    const idleMs = options.idleMs ?? IDLE_MS;
    this.#idleTimer = setInterval(() => this.#closeIdle(idleMs), idleMs / 5);
    this.#idleTimer.unref();
  }

  get size(): number {
    return [...this.#entries.values()].filter(({ channel }) => channel !== undefined).length;
  }

  async channel(target: PodTarget, signal: AbortSignal): Promise<PodChannel> {
    signal.throwIfAborted();
    if (this.#closed) throw new AppError('helper_unreachable', 'This process is stopping.');
    const entry = this.#entryOf(target.podUid);
    const { channel } = entry;
    if (channel !== undefined && !channel.closed && this.#now() - channel.lastUsedMs < FRESH_MS) {
      channel.touch();
      return channel;
    }
    if (entry.flight === undefined || entry.flight.abandoned) entry.flight = this.#startFlight(target, entry);
    return entry.flight.join(signal);
  }

  async deliver(target: PodTarget, signal: AbortSignal): Promise<void> {
    const { mode, clock } = this.#options;
    if (target.delivery === 'init' || mode === 'exec' || target.secret === undefined) return;
    using deadline = startDeadline(OPEN_MS, signal);
    try {
      const stream = await this.#transport('exec').open(target, deadline.signal);
      const channel = await openChannel(stream, 'exec', deadline.signal, { clock, onClose: () => undefined });
      channel.close();
    } catch (error) {
      if (signal.aborted || !deadline.signal.aborted) throw error;
      throw new AppError('helper_unreachable', 'The helper could not be put into the pod in time.', { cause: error });
    }
  }

  forget(podUid: string): void {
    this.#kinds.delete(podUid);
    const entry = this.#entries.get(podUid);
    this.#entries.delete(podUid);
    entry?.flight?.abort(connectionLost("The session's pod is gone."));
    entry?.channel?.close();
  }

  close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#idleTimer);
    for (const podUid of [...this.#entries.keys()]) this.forget(podUid);
    return Promise.resolve();
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }

  #entryOf(podUid: string): Entry {
    const known = this.#entries.get(podUid);
    if (known !== undefined) return known;
    if (this.#entries.size >= (this.#options.mostChannels ?? MOST_CHANNELS)) this.#closeLeastUsed();
    const entry: Entry = { channel: undefined, flight: undefined };
    this.#entries.set(podUid, entry);
    return entry;
  }

  #startFlight(target: PodTarget, entry: Entry): Flight<Channel> {
    const flight: Flight<Channel> = new Flight(async (signal) => {
      try {
        return await this.#ready(target, entry, signal);
      } finally {
        if (entry.flight === flight) entry.flight = undefined;
        this.#dropEmpty(target.podUid, entry);
      }
    });
    return flight;
  }

  async #ready(target: PodTarget, entry: Entry, signal: AbortSignal): Promise<Channel> {
    const { channel } = entry;
    if (channel !== undefined && !channel.closed) {
      const alive = await channel.ping(PING_MS).then(
        () => true,
        () => false,
      );
      if (alive && !channel.closed) {
        channel.touch();
        return channel;
      }
    }
    channel?.close();
    return this.#open(target, entry, signal);
  }

  async #open(target: PodTarget, entry: Entry, within: AbortSignal): Promise<Channel> {
    const { clock, log, metrics } = this.#options;
    const startedAt = performance.now();
    using deadline = startDeadline(OPEN_MS, within);
    const { signal } = deadline;
    try {
      const { stream, kind } = await this.#dial(target, signal);
      const onClose = (closed: Channel, reason: AppError): void => this.#lost(target, entry, closed, reason);
      const channel = await openChannel(stream, kind, signal, { clock, onClose });
      entry.channel = channel;
      this.#remember(target.podUid, kind);
      metrics.count('berth_helper_channels_opened_total', { kind });
      log.log('debug', 'channel to the helper opened', { ...about(target), kind, duration_ms: Math.round(performance.now() - startedAt) });
      return channel;
    } catch (error) {
      if (within.aborted) throw within.reason;
      const code = error instanceof AppError ? error.code : 'internal';
      metrics.count('berth_helper_channels_failed_total', { code });
      if (!signal.aborted) throw error;
      throw new AppError('helper_unreachable', 'The helper in the pod could not be reached in time.', { cause: error });
    }
  }

  async #dial(target: PodTarget, signal: AbortSignal): Promise<{ readonly stream: Duplex; readonly kind: ChannelKind }> {
    const { mode } = this.#options;
    // A pod from before the configuration was changed has no secret, and is reached by exec.
    const allowed = target.secret === undefined ? 'exec' : mode;
    const chosen = allowed === 'auto' ? this.#kinds.get(target.podUid) : allowed;
    if (chosen !== undefined) return { stream: await this.#transport(chosen).open(target, signal), kind: chosen };
    const direct = this.#options.transports.find(({ kind }) => kind === 'direct');
    if (direct !== undefined) {
      using probe = startDeadline(PROBE_MS, signal);
      const stream = await direct.open(target, probe.signal).catch(() => undefined);
      if (stream !== undefined) return { stream, kind: 'direct' };
      signal.throwIfAborted();
    }
    return { stream: await this.#transport('exec').open(target, signal), kind: 'exec' };
  }

  #transport(kind: ChannelKind): Transport {
    const transport = this.#options.transports.find((each) => each.kind === kind);
    if (transport === undefined) throw new AppError('helper_unreachable', `No channel of kind ${kind} is configured here.`);
    return transport;
  }

  #remember(podUid: string, kind: ChannelKind): void {
    this.#kinds.delete(podUid);
    this.#kinds.set(podUid, kind);
    const [oldest] = this.#kinds.keys();
    if (this.#kinds.size > MOST_KINDS && oldest !== undefined) this.#kinds.delete(oldest);
  }

  #lost(target: PodTarget, entry: Entry, channel: Channel, reason: AppError): void {
    if (entry.channel === channel) entry.channel = undefined;
    this.#dropEmpty(target.podUid, entry);
    const { kind } = channel;
    this.#options.metrics.count('berth_helper_channels_closed_total', { kind, code: reason.code });
    this.#options.log.log('info', 'channel to the helper closed', { ...about(target), kind, reason: reason.detail });
  }

  #dropEmpty(podUid: string, entry: Entry): void {
    const empty = entry.channel === undefined && (entry.flight === undefined || entry.flight.abandoned);
    if (empty && this.#entries.get(podUid) === entry) this.#entries.delete(podUid);
  }

  #closeIdle(idleMs: number): void {
    const before = this.#now() - idleMs;
    for (const { channel } of [...this.#entries.values()]) {
      if (channel?.idle === true && channel.lastUsedMs <= before) channel.close();
    }
  }

  #closeLeastUsed(): void {
    const idle = [...this.#entries.values()].flatMap(({ channel, flight }) =>
      channel?.idle === true && flight === undefined ? [channel] : [],
    );
    const least = idle.toSorted((one, other) => one.lastUsedMs - other.lastUsedMs)[0];
    if (least === undefined)
      throw new AppError('helper_unreachable', 'Too many sessions are in use here at once.', { retryAfterSeconds: 1 });
    least.close();
  }
}

function about(target: PodTarget): { readonly session_id: string; readonly pod_name: string } {
  return { session_id: target.sessionId, pod_name: target.pod };
}
