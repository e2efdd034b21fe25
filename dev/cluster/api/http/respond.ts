/**
 * Answers: JSON, and refusals as `Status`.
 *
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from 'node:http';
import { NodeError } from '../../port.ts';
import { KubeletRefusal, StatusError } from '../status.ts';

export function sendJson(response: ServerResponse, code: number, json: string): void {
  const body = `${json}\n`;
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-cache, private',
  });
  response.end(body);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** The `Status` of any error; one that nobody foresaw is 500 `InternalError`. */
export function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof NodeError) return new StatusError(error.code, error.reason, error.message);
  const message = error instanceof Error ? error.message : String(error);
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}

/** Answers an error, or cuts an answer that has begun: its reader must not take it for complete. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status } = statusOf(error);
  sendJson(response, status.code, JSON.stringify(status));
}

/** Refuses an upgrade: there is no response object, only the socket. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const fromKubelet = error instanceof KubeletRefusal;
  const { status } = statusOf(error);
  const code = fromKubelet ? error.code : status.code;
  const body = fromKubelet ? error.message : `${JSON.stringify(status)}\n`;
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}`,
    `Content-Type: ${fromKubelet ? 'text/plain; charset=utf-8' : 'application/json'}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
