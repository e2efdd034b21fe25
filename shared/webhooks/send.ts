/**
 * One POST to an address that a user has chosen: it reaches the public internet alone, follows no redirect, and reads no body.
 *
 * @module
 */
import { lookup as resolveName, type LookupAddress } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { startDeadline } from '../deadline.ts';
import { isPublicAddress } from './public-address.ts';
import { hostOf } from './webhook-url.ts';

/** As `dns.lookup` with `all`; tests put a name server of their own in its place. */
export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void;

export interface SendOptions {
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
  readonly resolve?: Resolve;
  readonly signal?: AbortSignal;
}

/** The address may not be called, whatever answers there. */
export class ForbiddenAddressError extends Error {
  constructor() {
    // Which address it is, or that there is none, would tell a stranger about the network that we are in.
    super('the name does not lead to an address that may be called');
    this.name = 'ForbiddenAddressError';
  }
}

/**
 * Sends the body and answers with the status; what follows it is not read. Throws `ForbiddenAddressError`, a `TimeoutError` when the time
 * is over, and what the connection fails with.
 */
export async function send(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  { allowPrivate, timeoutMs, resolve = resolveName, signal }: SendOptions,
): Promise<number> {
  // An address in the URL itself is never looked up.
  if (!allowPrivate && isIP(hostOf(url)) !== 0 && !isPublicAddress(hostOf(url))) throw new ForbiddenAddressError();
  using deadline = startDeadline(timeoutMs, signal);
  deadline.signal.throwIfAborted();
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const { promise, resolve: answered, reject } = Promise.withResolvers<number>();
  deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason), { once: true });
  const sent = request(url, {
    method: 'POST',
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    signal: deadline.signal,
    // A connection of its own: none is kept to what the name led to before.
    agent: false,
    lookup: allowPrivate ? lookupOf(resolve, () => true) : lookupOf(resolve, isPublicAddress),
  });
  const settle = ({ statusCode = 0 }: IncomingMessage): void => {
    answered(statusCode);
    sent.destroy();
  };
  sent.on('response', settle);
  // A protocol that was not asked for: without a listener the connection closes, and neither an answer nor an error is told.
  sent.on('upgrade', settle);
  sent.on('error', reject);
  sent.on('close', () => reject(new Error('the connection was closed without an answer')));
  sent.end(body);
  // Awaited here: the deadline ends with this function.
  return await promise;
}

/**
 * The lookup that the connection itself makes: what it answers is what is connected to, so a name that leads elsewhere a moment later
 * (DNS rebinding) leads nowhere. One address that is not allowed is enough to refuse the name.
 */
function lookupOf(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null || first === undefined || !addresses.every(({ address }) => isAllowed(address))) {
        callback(new ForbiddenAddressError(), '', 0);
      } else if (options.all === true) {
        callback(null, [...addresses]);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
}
