/**
 * What deliveries are signed with, and how. Pure.
 *
 * @module
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { Secret } from '../auth/secret.ts';

export const signatureHeader = 'berth-signature';

const SECRET_BYTES = 32;

/** HKDF-SHA256 (RFC 5869) of the installation's key. The parts are kept apart by NUL, which neither can hold. */
export function webhookSecret(installationKey: Uint8Array, webhookId: string, nonce: string): Secret {
  const bytes = hkdfSync('sha256', installationKey, '', ['webhook', webhookId, nonce].join('\0'), SECRET_BYTES);
  return new Secret(`whsec_${Buffer.from(bytes).toString('base64url')}`);
}

/**
 * `t=<seconds since 1970>,v1=<HMAC-SHA-256 in hex>` over `<t>.<body>`, keyed with the secret as it was shown. The receiver computes it
 * again and refuses what is older than it likes: so nobody can send an old delivery again.
 */
export function signDelivery(secret: Secret, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1000);
  const digest = createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}
