/**
 * How the client's parts send their requests.
 *
 * @module
 */
import type { z } from 'zod';
import { readJson, readNothing, refuseProblem } from './client-answer.ts';
import { isConnectionLost } from './errors.ts';
import type { HelperRequest, HelperResponse, PodChannel } from './port.ts';

/** The session's channel, opened where none is open. Throws `AppError`, or the signal's reason. */
export type ChannelOf = (signal: AbortSignal) => Promise<PodChannel>;

export interface CallOptions extends Omit<HelperRequest, 'method' | 'path'> {
  /** Sent once more, over a new channel, where the channel was lost: for what may be done twice. */
  readonly repeatable?: boolean;
  /** Of the answer; 64 KiB. */
  readonly mostBytes?: number;
}

export interface Caller {
  json<T>(method: HelperRequest['method'], path: string, schema: z.ZodType<T>, options: CallOptions): Promise<T>;
  /** For answers without content. */
  run(method: HelperRequest['method'], path: string, options: CallOptions): Promise<void>;
  /** A 2xx answer whose body is the caller's to read or to destroy. */
  open(method: HelperRequest['method'], path: string, options: CallOptions): Promise<HelperResponse>;
}

export function createCaller(channelOf: ChannelOf): Caller {
  const send = async <T>(request: HelperRequest, options: CallOptions, read: (response: HelperResponse) => Promise<T>): Promise<T> => {
    const attempt = async (): Promise<T> => read(await (await usableChannel(channelOf, options.signal)).request(request));
    try {
      return await attempt();
    } catch (error) {
      if (options.repeatable !== true || !isConnectionLost(error)) throw error;
      return attempt();
    }
  };
  return {
    json: (method, path, schema, options) =>
      send(toRequest(method, path, options), options, (response) => readJson(response, schema, options.mostBytes)),
    run: (method, path, options) => send(toRequest(method, path, options), options, readNothing),
    open: (method, path, options) =>
      send(toRequest(method, path, options), options, async (response) => {
        await refuseProblem(response);
        return response;
      }),
  };
}

function toRequest(method: HelperRequest['method'], path: string, options: CallOptions): HelperRequest {
  const { repeatable: _repeatable, mostBytes: _mostBytes, ...rest } = options;
  return { method, path, ...rest };
}

/** A channel may end between being handed out and being used; nothing was sent over it then. */
export async function usableChannel(channelOf: ChannelOf, signal: AbortSignal): Promise<PodChannel> {
  const channel = await channelOf(signal);
  return channel.closed ? channelOf(signal) : channel;
}

/** A body in JSON with its header. */
export function jsonBody(value: unknown): { readonly body: Uint8Array; readonly headers: Readonly<Record<string, string>> } {
  return { body: Buffer.from(JSON.stringify(value)), headers: { 'content-type': 'application/json' } };
}

export type QueryValue = string | number | boolean | Uint8Array | undefined;

/** A path with its query; what is undefined is left out, bytes are encoded as they are (names of files need not be UTF-8). */
export function withQuery(path: string, query: Readonly<Record<string, QueryValue>>): string {
  const parts = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeValue(value)}`]));
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

function encodeValue(value: Exclude<QueryValue, undefined>): string {
  if (value instanceof Uint8Array) return [...value].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  if (typeof value === 'boolean') return value ? '1' : '0';
  return encodeURIComponent(value);
}

/** Ids go into paths; they are ours, so one that is none is a bug, not bad input. */
export function idSegment(id: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new TypeError('An id is 1 to 64 letters, digits, _ and -.');
  return id;
}
