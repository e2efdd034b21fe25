/**
 * An issuer of identity tokens on a port of its own: discovery, published keys, and tokens that are right or wrong in one way each.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';

export interface TokenOptions {
  readonly alg?: 'RS256' | 'ES256' | 'EdDSA' | 'RS512';
  /** Signed by a key that nobody published, under the name of one that is. */
  readonly forged?: boolean;
  readonly kid?: string;
}

/** Those that are undefined are left out. */
export type Claims = Readonly<Record<string, unknown>>;

export interface Issuer {
  readonly url: string;
  /** How often discovery and keys were asked for. */
  readonly requests: { discovery: number; keys: number };
  /** Answers 503 to everything while it is set. */
  isAway: boolean;
  /** Where its discovery document says that its keys are. */
  keysUrl: string;
  token(claims: Claims, options?: TokenOptions): Promise<string>;
  stop(): Promise<void>;
}

const algorithms = ['RS256', 'ES256', 'EdDSA', 'RS512'] as const;

export async function startIssuer(): Promise<Issuer> {
  const pairs = new Map<string, { readonly privateKey: CryptoKey; readonly publicKey: CryptoKey }>();
  for (const alg of algorithms) pairs.set(alg, await generateKeyPair(alg, { extractable: true }));
  const strangers = new Map<string, CryptoKey>();
  for (const alg of algorithms) strangers.set(alg, (await generateKeyPair(alg)).privateKey);
  const keys = await Promise.all(
    [...pairs].map(async ([alg, { publicKey }]) => ({ ...(await exportJWK(publicKey)), alg, kid: alg, use: 'sig' })),
  );
  const requests = { discovery: 0, keys: 0 };
  const server = createServer((request, response) => {
    const isDiscovery = request.url === '/.well-known/openid-configuration';
    requests[isDiscovery ? 'discovery' : 'keys'] += 1;
    response.writeHead(issuer.isAway ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isDiscovery ? { issuer: issuer.url, jwks_uri: issuer.keysUrl } : { keys }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const issuer: Issuer = {
    url,
    requests,
    isAway: false,
    keysUrl: `${url}/keys`,
    token: async (claims, { alg = 'RS256', forged = false, kid = alg } = {}) => {
      const key = forged ? strangers.get(alg) : pairs.get(alg)?.privateKey;
      if (key === undefined) throw new Error(`there is no key for ${alg}`);
      return new SignJWT(JSON.parse(JSON.stringify(claims)) as JWTPayload).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(key);
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}
