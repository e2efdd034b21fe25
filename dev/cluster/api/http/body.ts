/**
 * Request bodies: JSON, bounded.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { badRequest, StatusError, unsupportedMediaType } from '../status.ts';

/** The limit of a real API server, in bytes. */
const LONGEST_BODY = 3 * 1024 * 1024;

/** `application/json` of `application/json; charset=utf-8`; a body without a type is JSON. */
export function contentTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** Reads and parses a body of JSON; `undefined` for an empty one. Throws 400, 413 or 415. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = contentTypeOf(request);
  if (type === 'application/vnd.kubernetes.protobuf') {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      'the embedded cluster takes JSON, not protobuf: use `kubectl create -f` or `kubectl apply -f` instead of this command',
      {},
    );
  }
  if (!/^(?:application\/(?:[\w.-]+\+)?json|\*\/\*)$/.test(type)) throw unsupportedMediaType();
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const part = chunk as Buffer;
    size += part.length;
    if (size > LONGEST_BODY) throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${LONGEST_BODY}`);
    parts.push(part);
  }
  if (size === 0) return undefined;
  const text = Buffer.concat(parts).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (request.method === 'PATCH') throw badRequest(`error decoding patch: ${reason}`);
    throw badRequest(`the object provided is unrecognized: couldn't get version/kind; json parse error: ${reason}`);
  }
}
