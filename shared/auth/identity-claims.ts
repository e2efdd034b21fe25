/**
 * From the claims of a verified identity token to the user it speaks for. Pure.
 *
 * @module
 */
import type { IdentityProvider, RequiredClaims } from '../config-users.ts';
import { userSchema } from '../sessions/create-request.ts';
import { isReservedName } from './reserved.ts';

export interface Claims {
  readonly sub?: string | undefined;
  readonly [claim: string]: unknown;
}

export interface Refusal {
  /** Why, in words for the caller. */
  readonly refusal: string;
}

/**
 * A verified `email` or else `sub`, or the configured claim, behind the provider's prefix. `prefixes` are those of all providers: a name
 * belongs to the provider with the longest one that it begins with, so that a claim which imitates another's prefix speaks for nobody.
 */
export function userOfClaims(claims: Claims, provider: IdentityProvider, prefixes: readonly string[]): string | Refusal {
  const missing = missingClaim(claims, provider);
  if (missing !== undefined) return { refusal: `The identity token does not have the ${missing} that this issuer’s need here.` };
  const { claim, value } = namingClaim(claims, provider);
  if (typeof value !== 'string' || value === '') return { refusal: `The identity token has no ${claim} that could name a user.` };
  if (claim === 'email' && claims['email_verified'] !== true) {
    return { refusal: 'The e-mail address of the identity token is not verified.' };
  }
  // Else whoever may choose their subject speaks for whoever has that address.
  if (provider.userClaim === undefined && claim === 'sub' && value.includes('@')) {
    return { refusal: 'The sub of the identity token looks like an e-mail address, and the token has no verified one.' };
  }
  const user = provider.userPrefix + value;
  if (!userSchema.safeParse(user).success) return { refusal: `The ${claim} of the identity token cannot be a user's name here.` };
  const longest = prefixes.filter((prefix) => user.startsWith(prefix)).toSorted((left, right) => right.length - left.length)[0];
  if (longest !== provider.userPrefix || isReservedName(user)) {
    return { refusal: `The ${claim} of the identity token is a name that this issuer may not give.` };
  }
  return user;
}

function namingClaim(claims: Claims, { userClaim }: IdentityProvider): { readonly claim: string; readonly value: unknown } {
  if (userClaim !== undefined) return { claim: userClaim, value: claims[userClaim] };
  const byAddress = claims['email_verified'] === true && typeof claims['email'] === 'string';
  return byAddress ? { claim: 'email', value: claims['email'] } : { claim: 'sub', value: claims.sub };
}

/** The first claim that is not as the provider's configuration wants it. */
function missingClaim(claims: Claims, { requiredClaims }: IdentityProvider): string | undefined {
  const [missing] = Object.entries(requiredClaims).find(([name, required]) => !agrees(claims[name], required)) ?? [];
  if (missing !== undefined) return missing;
  // Tenants are directories of a project's customers, who may put any address into their own.
  return tenantIn(claims) !== undefined && tenantIn(requiredClaims) === undefined ? 'firebase.tenant' : undefined;
}

function agrees(claim: unknown, required: RequiredClaims[string]): boolean {
  if (typeof required !== 'object') return claim === required;
  return isObject(claim) && Object.entries(required).every(([name, value]) => claim[name] === value);
}

/** https://cloud.google.com/identity-platform/docs/multi-tenancy-authentication */
function tenantIn(claims: Readonly<Record<string, unknown>>): unknown {
  const { firebase } = claims;
  return isObject(firebase) ? firebase['tenant'] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
