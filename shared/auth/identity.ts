/**
 * Identity tokens: OpenID Connect ID tokens of the configured issuers, checked against the issuer's published keys.
 *
 * Nothing of a token is believed before its signature holds; which issuer's keys to ask is the one thing read from it before. `jose` is
 * loaded with the first token.
 *
 * @module
 */
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { Clock } from '../clock.ts';
import type { IdentityProvider } from '../config-users.ts';
import { AppError } from '../errors/app-error.ts';
import { issuerKeys } from './issuer-keys.ts';
import { userOfClaims } from './identity-claims.ts';

export interface Identity {
  /** Whom the token speaks for, as Berth names users. */
  readonly user: string;
  /** First spelling of the issuer. */
  readonly issuer: string;
}

export interface IdentityVerifier {
  /** Throws `AppError` `unauthenticated`; `identity_unavailable` where the issuer's keys cannot be had. */
  verify(token: string): Promise<Identity>;
}

/** Signatures that only the issuer can make. `none` is none, and with HS256 whoever can check a token can also make one. */
const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];
/** How far the clocks of an issuer and of this machine may differ. */
const CLOCK_TOLERANCE_SECONDS = 30;
const LONGEST_TOKEN = 16 * 1024;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** Whether the text has the form of a signed token; no key of ours has it. */
export function looksLikeToken(text: string): boolean {
  return text.length <= LONGEST_TOKEN && TOKEN.test(text);
}

export function createIdentityVerifier(providers: readonly IdentityProvider[], clock: Clock): IdentityVerifier {
  const keysOf = new Map<IdentityProvider, JWTVerifyGetKey>();
  const prefixes = providers.map(({ userPrefix }) => userPrefix);

  function keys(provider: IdentityProvider): JWTVerifyGetKey {
    const present = keysOf.get(provider) ?? issuerKeys(provider, clock);
    keysOf.set(provider, present);
    return present;
  }

  return {
    async verify(token) {
      const jose = await import('jose');
      const provider = providers.find(({ issuers }) => issuers.some((issuer) => issuer === issuerIn(jose.decodeJwt, token)));
      if (provider === undefined) throw refused('The identity token is of an issuer that is not configured here.');
      const payload = await verified(jose, token, keys(provider), provider, clock);
      const user = userOfClaims(payload, provider, prefixes);
      if (typeof user !== 'string') throw refused(user.refusal);
      return { user, issuer: provider.issuers[0] };
    },
  };
}

/** Only tells whose keys to ask: it is checked again together with the signature. */
function issuerIn(decode: (token: string) => JWTPayload, token: string): string | undefined {
  try {
    return decode(token).iss;
  } catch {
    return undefined;
  }
}

async function verified(
  { jwtVerify, errors }: typeof import('jose'),
  token: string,
  key: JWTVerifyGetKey,
  provider: IdentityProvider,
  clock: Clock,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer: [...provider.issuers],
      audience: [...provider.audiences],
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: clock.now(),
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw refused('The identity token has expired.', error);
    if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
      throw refused('The identity token is made for another audience.', error);
    }
    if (error instanceof errors.JOSEError) throw refused('The identity token is not valid.', error);
    throw error;
  }
}

function refused(detail: string, cause?: unknown): AppError {
  return new AppError('unauthenticated', detail, cause === undefined ? {} : { cause });
}
