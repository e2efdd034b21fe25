/**
 * Which URLs a webhook may have. Pure; where a name leads is looked at with each delivery.
 *
 * @module
 */
import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.ts';

const LONGEST_URL = 2_048;

/** What is wrong with it, in words for the caller; `undefined` where nothing is. */
export function webhookUrlFault(text: string, allowPrivate: boolean): string | undefined {
  if (text.length > LONGEST_URL) return `has at most ${LONGEST_URL} characters`;
  if (!URL.canParse(text)) return 'must be a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) return 'must begin with https://';
  if (url.username !== '' || url.password !== '') return 'cannot hold a user name or password; verify the signature instead';
  const host = hostOf(url);
  if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) return 'must be an address of the public internet';
  return undefined;
}

/** The name or address to connect to, an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}
