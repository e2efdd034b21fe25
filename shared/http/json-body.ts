/**
 * Reads the JSON body of a request, bounded, and after authentication: what is too large is refused before it is held in memory.
 *
 * @module
 */
import type { MiddlewareHandler } from 'hono';
import { AppError } from '../errors/app-error.ts';
import { bounds } from '../sessions/create-request.ts';
import type { AppEnv } from './environment.ts';
import { assertPlainJson } from './plain-json.ts';

/**
 * Replaces the request by one whose body was read and checked, for the validators that follow. An empty body counts as `{}`. Throws
 * `payload_too_large`, `invalid_json`, `validation_failed`.
 */
export function readJsonBody(maxBytes: number = bounds.bodyBytes): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    assertJsonType(c.req.header('content-type'));
    const announced = Number(c.req.header('content-length') ?? 0);
    if (announced > maxBytes) throw tooLarge(maxBytes);
    const text = decode(await readBounded(c.req.raw.body, maxBytes));
    const body = text.trim() === '' ? '{}' : text;
    assertPlainJson(parse(body));
    const { url, method, signal } = c.req.raw;
    const headers = new Headers(c.req.raw.headers);
    headers.set('content-type', 'application/json');
    c.req.raw = new Request(url, { method, signal, body, headers });
    await next();
  };
}

/** A body without a type is taken for JSON: there is nothing else it could be. */
function assertJsonType(contentType: string | undefined): void {
  if (contentType === undefined) return;
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  const utf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (/^application\/([\w.-]+\+)?json$/.test(type) && utf8) return;
  const message = 'must be application/json in UTF-8';
  throw new AppError('validation_failed', `The body cannot be read: its content-type ${message}.`, {
    errors: [{ path: 'content-type', message }],
  });
}

/** Throws `AppError` `payload_too_large`. */
export async function readBounded(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // The iterator is not closed early: that would cut the connection before the client has the answer. The server discards the rest.
  for await (const chunk of body?.values({ preventCancel: true }) ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError('invalid_json', 'The body is not valid UTF-8.', { cause: error });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_json', `The body is not valid JSON${position(error)}.`, { cause: error });
  }
}

/** Where, but not what: the parser's own message quotes the text, which may hold a secret. */
function position(error: unknown): string {
  const [, at] = /at position (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  return at === undefined ? '' : `; the first error is at character ${at}`;
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('payload_too_large', `A body may have at most ${String(maxBytes)} bytes.`);
}
