/**
 * Who may talk to the API: whoever has a token, in the `Authorization` header or as the first part of the path.
 *
 * `kubectl` sends no credentials at all over plain HTTP (client-go reads them only for TLS), but it keeps the path of the server's
 * address in the kubeconfig. So `http://127.0.0.1:1234/token/<token>` is an address that carries its token.
 *
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';

export interface Authenticated {
  /** A known token came with the request. */
  readonly known: boolean;
  /** The path without the token. */
  readonly path: string;
}

export type Authenticate = (authorization: string | undefined, path: string) => Authenticated;

/** Hashes are compared, so that time tells neither bytes nor length of a token. */
export function createAuthenticator(tokens: readonly string[]): Authenticate {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const accepted = tokens.map(digest);
  const isKnown = (token: string): boolean => {
    const given = digest(token);
    return accepted.map((item) => timingSafeEqual(item, given)).includes(true);
  };
  return (authorization, path) => {
    const [, inPath, rest = '/'] = /^\/token\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    const token = inPath ?? /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
    return { known: token !== undefined && isKnown(token), path: inPath === undefined ? path : rest };
  };
}

/** The address that carries its token. */
export function addressWithToken(url: string, token: string): string {
  return `${url}/token/${token}`;
}
