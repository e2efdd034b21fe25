/**
 * Who may call the `tasks`, `sweep` and `events` units: Cloud Tasks, Cloud Scheduler and Eventarc by identity token, the process itself by a
 * secret of its own.
 *
 * @module
 */
import type { JsonWebKey } from 'node:crypto';
import type { OAuth2Client } from 'google-auth-library';
import { equalInConstantTime, type Secret } from './secret.ts';

/** Whether the request comes from ourselves. Never throws; what cannot be checked is refused. */
export type InternalAuth = (request: Request) => Promise<boolean>;

/** The header that carries the secret of `secretAuth`. */
export const internalSecretHeader = 'berth-internal-secret';

/** For units in one process: a secret made at start, which whoever calls them in that process sends along. */
export function secretAuth(secret: Secret): InternalAuth {
  return (request) => Promise.resolve(equalInConstantTime(request.headers.get(internalSecretHeader) ?? '', secret.reveal()));
}

/** No one: for a unit that was started without a way to know its callers. */
export const refuseAll: InternalAuth = () => Promise.resolve(false);

export interface IdentityTokenOptions {
  /** What the token must be made for, any of these: `oidcToken.audience` of the task or the schedule; for Eventarc the unit's own URL. */
  readonly audiences: readonly string[];
  /** E-mail address of the service account that Cloud Tasks, Cloud Scheduler and Eventarc act as. */
  readonly serviceAccount: string;
  /** Another issuer than Google, whose keys are at `<issuer>/jwks`: the emulator. */
  readonly issuer?: string;
  /** Told why a token was refused; the caller is told nothing. */
  readonly onRefused: (reason: unknown) => void;
}

/** https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler */
export function identityTokenAuth(options: IdentityTokenOptions): InternalAuth {
  // Imported with the first request: the library takes longer to load than the rest of a unit.
  let client: Promise<OAuth2Client> | undefined;
  return async (request) => {
    const token = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
    if (token === undefined) return false;
    try {
      client ??= import('google-auth-library').then((library) => new library.OAuth2Client());
      const claims = await verify(await client, token, options);
      // Google says of every address whether it is verified; an emulator may leave it out.
      const isVerified = claims?.email_verified ?? options.issuer !== undefined;
      if (claims?.email === options.serviceAccount && isVerified) return true;
      options.onRefused(`the token is of ${claims?.email ?? 'nobody'}`);
    } catch (error) {
      options.onRefused(error);
    }
    return false;
  };
}

interface Claims {
  readonly email?: string;
  readonly email_verified?: boolean;
}

async function verify(client: OAuth2Client, token: string, { audiences, issuer }: IdentityTokenOptions): Promise<Claims | undefined> {
  // Without an audience the library checks none.
  if (audiences.length === 0) throw new Error('no audience is configured');
  const audience = [...audiences];
  if (issuer === undefined) return (await client.verifyIdToken({ idToken: token, audience })).getPayload();
  const keys = await fetchKeys(issuer);
  return (await client.verifySignedJwtWithCertsAsync(token, keys, audience, [issuer])).getPayload();
}

interface KeySet {
  readonly keys: readonly (JsonWebKey & { readonly kid?: string })[];
}

/** Asked for every token: an emulator's keys change with each of its starts. PEM by key id, as the library takes them. */
async function fetchKeys(issuer: string): Promise<Record<string, string>> {
  const [{ createPublicKey }, response] = await Promise.all([
    import('node:crypto'),
    fetch(`${issuer}/jwks`, { signal: AbortSignal.timeout(5_000) }),
  ]);
  if (!response.ok) throw new Error(`${issuer}/jwks answers ${String(response.status)}`);
  const set = (await response.json()) as KeySet;
  return Object.fromEntries(
    set.keys.map((key) => [key.kid ?? '', createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()]),
  );
}
