/**
 * Configuration of who users are and what they may hold: identity providers and limits, each a JSON value in one variable.
 *
 * @module
 */
import { z } from 'zod';
import { userTypes, type Entitlements, type UserType } from './entitlements/model.ts';

const count = z.int().min(0).max(1_000_000);
const amount = z.number().min(0).max(10_000_000);

/** Limits that stand in place of a type's: any of them, and nothing else. An amount is in the unit of its name, CPU in cores. */
export const limitsSchema = z.strictObject({
  sessions: count.optional(),
  jobs: count.optional(),
  ttl_minutes: z
    .int()
    .min(1)
    .max(365 * 24 * 60)
    .optional(),
  buckets: count.optional(),
  pvcs: count.optional(),
  storage_gb: amount.optional(),
  cpu: amount.optional(),
  memory_gb: amount.optional(),
  gpus: count.optional(),
  share: z.boolean().optional(),
  cross_namespace: z.boolean().optional(),
} satisfies Record<keyof Entitlements, z.ZodType>);

type ClaimValue = string | number | boolean;
/** Claims by their names with the values that they must have; of a claim that is an object, those of its members. */
export type RequiredClaims = Readonly<Record<string, ClaimValue | Readonly<Record<string, ClaimValue>>>>;

/** Who issues identity tokens, and what they say of a user. */
export interface IdentityProvider {
  /** `iss` of its tokens: the first is its name, the others are spellings of it. */
  readonly issuers: readonly [string, ...string[]];
  /** A token has to be made for one of these. */
  readonly audiences: readonly string[];
  /** Which claim names the user; absent: a verified `email`, else `sub`. */
  readonly userClaim: string | undefined;
  /** In front of the claim, so that the users of two providers are never one. */
  readonly userPrefix: string;
  /** What its tokens have to say besides: those of other customers of the same issuer are refused. */
  readonly requiredClaims: RequiredClaims;
  /** Where its keys are; absent: its discovery document tells. */
  readonly jwksUri: string | undefined;
}

export type EntitlementOverrides = Readonly<Partial<Record<UserType, Readonly<Partial<Entitlements>>>>>;

/** Text in an environment variable that holds JSON of this schema. The message names the path, never the value. */
function jsonText<S extends z.ZodType>(schema: S) {
  return z.string().transform((text, context): z.output<S> => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      context.addIssue('is not JSON');
      return z.NEVER;
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    context.addIssue(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'is not valid'}`);
    return z.NEVER;
  });
}

/** Under `exactOptionalPropertyTypes` absent and `undefined` differ, and a schema's optional values may be either. */
export function definedLimits(given: z.output<typeof limitsSchema>): Partial<Entitlements> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const overrides = z.partialRecord(z.enum(userTypes), limitsSchema.transform(definedLimits));

/** Tokens and keys over plain HTTP could be anybody's; an emulator on this machine is the exception. */
export const issuerUrl = z
  .url()
  .refine((url) => url.startsWith('https://') || /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])([:/]|$)/.test(url), 'must be https');

const audiences = z.union([
  z
    .string()
    .min(1)
    .transform((audience) => [audience]),
  z.array(z.string().min(1)).min(1).max(20),
]);

const prefixText = z
  .string()
  .max(40)
  .regex(/^[A-Za-z0-9_.:@+-]*$/, 'letters, digits and _ . : @ + -')
  .default('');

const claimValue = z.union([z.string().max(1_000), z.number(), z.boolean()]);
const requiredClaims = z.record(z.string().min(1).max(128), z.union([claimValue, z.record(z.string().min(1).max(128), claimValue)]));

const provider = z.strictObject({
  issuer: issuerUrl,
  audience: audiences,
  user_claim: z.string().min(1).max(128).optional(),
  user_prefix: prefixText,
  required_claims: requiredClaims.default({}),
  jwks_uri: issuerUrl.optional(),
});

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** The variables of this file, for the schema of the whole environment. */
export const userVariables = {
  BERTH_ENTITLEMENTS: jsonText(overrides).default({}),
  BERTH_OIDC: jsonText(z.array(provider).max(20)).default([]),
  BERTH_FIREBASE_PROJECT: z
    .string()
    .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'the id of a Firebase project')
    .optional(),
  BERTH_FIREBASE_USER_PREFIX: prefixText,
  BERTH_FIREBASE_REQUIRED_CLAIMS: jsonText(requiredClaims).default({}),
  BERTH_GOOGLE_AUDIENCES: list.default([]),
  BERTH_GOOGLE_USER_PREFIX: prefixText,
  BERTH_GOOGLE_REQUIRED_CLAIMS: jsonText(requiredClaims).default({}),
  BERTH_TOKEN_KEY_DAYS: z.coerce.number().int().min(1).max(3_650).default(30),
} as const;

type Variables = z.output<z.ZodObject<typeof userVariables>>;

/** https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library */
const FIREBASE_JWKS = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com';
/** https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken: `iss` comes in two spellings. */
const GOOGLE_ISSUERS = ['https://accounts.google.com', 'accounts.google.com'] as const;
const GOOGLE_JWKS = 'https://www.googleapis.com/oauth2/v3/certs';

function identityProviders(env: Variables): readonly IdentityProvider[] {
  const providers: IdentityProvider[] = env.BERTH_OIDC.map(({ issuer, audience, user_claim, user_prefix, required_claims, jwks_uri }) => ({
    issuers: [issuer],
    audiences: audience,
    userClaim: user_claim,
    userPrefix: user_prefix,
    requiredClaims: required_claims,
    jwksUri: jwks_uri,
  }));
  if (env.BERTH_FIREBASE_PROJECT !== undefined) {
    providers.push({
      issuers: [`https://securetoken.google.com/${env.BERTH_FIREBASE_PROJECT}`],
      audiences: [env.BERTH_FIREBASE_PROJECT],
      userClaim: undefined,
      userPrefix: env.BERTH_FIREBASE_USER_PREFIX,
      requiredClaims: env.BERTH_FIREBASE_REQUIRED_CLAIMS,
      jwksUri: FIREBASE_JWKS,
    });
  }
  if (env.BERTH_GOOGLE_AUDIENCES.length > 0) {
    providers.push({
      issuers: GOOGLE_ISSUERS,
      audiences: env.BERTH_GOOGLE_AUDIENCES,
      userClaim: undefined,
      userPrefix: env.BERTH_GOOGLE_USER_PREFIX,
      requiredClaims: env.BERTH_GOOGLE_REQUIRED_CLAIMS,
      jwksUri: GOOGLE_JWKS,
    });
  }
  return providers;
}

/** What is wrong with the providers together, in words that begin with the variable. */
function providerFaults(providers: readonly IdentityProvider[]): readonly string[] {
  const twice = (values: readonly string[]): readonly string[] => values.filter((value, index) => values.indexOf(value) !== index);
  return [
    ...twice(providers.flatMap(({ issuers }) => issuers)).map((issuer) => `BERTH_OIDC: the issuer ${issuer} is configured twice`),
    ...twice(providers.map(({ userPrefix }) => userPrefix)).map(
      (prefix) => `BERTH_OIDC: several issuers have the user_prefix "${prefix}": give each its own, or two people could be one user`,
    ),
  ];
}

export interface UsersConfig {
  /** In place of a type's default limits; a user's own values stand above them. */
  readonly entitlements: EntitlementOverrides;
  readonly identityProviders: readonly IdentityProvider[];
  /** How long a key lives at most that was made with an identity token. */
  readonly tokenKeyDays: number;
}

/** `faults` is empty where the configuration can work; each names a variable. */
export function usersConfig(env: Variables): { readonly config: UsersConfig; readonly faults: readonly string[] } {
  const providers = identityProviders(env);
  const config = { entitlements: env.BERTH_ENTITLEMENTS, identityProviders: providers, tokenKeyDays: env.BERTH_TOKEN_KEY_DAYS };
  return { config, faults: providerFaults(providers) };
}
