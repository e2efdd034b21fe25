/**
 * The public keys of an issuer of identity tokens: fetched when first needed, kept for ten minutes, asked for again where a token names
 * one that is not among them.
 *
 * @module
 */
import type { createRemoteJWKSet, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { issuerUrl, type IdentityProvider } from '../config-users.ts';
import { AppError } from '../errors/app-error.ts';

const FETCH_MS = 5_000;
/** Whoever sends tokens of unknown keys makes us ask no more often than this. */
const COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 10 * 60_000;
/** After a failure: an issuer that is away is not asked again by each of the requests that wait for it. */
const RETRY_AFTER_MS = 2_000;

/** What jose says where the keys are there and none of them fits: the token's fault, not the issuer's. */
const TOKENS_FAULT = new Set(['ERR_JWKS_NO_MATCHING_KEY', 'ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'ERR_JOSE_NOT_SUPPORTED']);

/** For `jwtVerify`. Throws what jose throws where no key fits the token, else `AppError` `identity_unavailable`. */
export function issuerKeys(provider: IdentityProvider, clock: Clock): JWTVerifyGetKey {
  let keySet: KeySet | undefined;
  let opening: Promise<KeySet> | undefined;
  let failure: { readonly until: number; readonly cause: unknown } | undefined;

  return async (header, token) => {
    const now = clock.now().getTime();
    // Keys that are there are used on: a token of an unknown key must not shut out those of known ones.
    if (failure !== undefined && now < failure.until && keySet?.fresh !== true) throw unavailable(provider, failure.cause);
    try {
      opening ??= openKeySet(provider);
      keySet = await opening;
      return await keySet(header, token);
    } catch (error) {
      if (error instanceof Error && 'code' in error && TOKENS_FAULT.has(String(error.code))) throw error;
      // Where there are no keys yet, they may have moved.
      if (keySet === undefined) opening = undefined;
      failure = { until: now + RETRY_AFTER_MS, cause: error };
      throw unavailable(provider, error);
    }
  };
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;

async function openKeySet(provider: IdentityProvider): Promise<KeySet> {
  const [jose, uri] = await Promise.all([import('jose'), provider.jwksUri ?? discover(provider.issuers[0])]);
  return jose.createRemoteJWKSet(new URL(uri), { timeoutDuration: FETCH_MS, cooldownDuration: COOLDOWN_MS, cacheMaxAge: MAX_AGE_MS });
}

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: issuerUrl });

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discover(issuer: string): Promise<string> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(FETCH_MS),
    redirect: 'error',
  });
  if (!response.ok) throw new Error(`the discovery document of ${issuer} answers ${String(response.status)}`);
  const document = discoveryDocument.parse(await response.json());
  if (document.issuer !== issuer) throw new Error(`the discovery document of ${issuer} is of ${document.issuer}`);
  return document.jwks_uri;
}

function unavailable(provider: IdentityProvider, cause: unknown): AppError {
  return new AppError(
    'identity_unavailable',
    `The keys of the issuer ${provider.issuers[0]} cannot be had, so its tokens cannot be checked.`,
    {
      cause,
      retryAfterSeconds: RETRY_AFTER_MS / 1000,
    },
  );
}
