/**
 * What a pod's helper and the control plane both know: derived, so that it is kept nowhere but in the pod. Pure functions.
 *
 * @module
 */
import { createHash, hkdfSync } from 'node:crypto';

export interface SecretContext {
  readonly sessionId: string;
  /** Each pod of a session has a secret of its own. */
  readonly generation: number;
  /** Chosen for this pod and kept in the session's document; it may not hold a NUL. */
  readonly nonce: string;
}

const SECRET_BYTES = 32;

/**
 * Tells which of the live installation keys a secret was made from, without telling the key: 16 hexadecimal digits. A document that names
 * a key which is no longer at hand belongs to a pod that can only be reached by exec, or be restarted.
 */
export function installationKeyId(installationKey: Uint8Array): string {
  return createHash('sha256').update('berth-helper-key-id\0').update(installationKey).digest('hex').slice(0, 16);
}

/** HKDF-SHA256 (RFC 5869), 32 bytes. The parts are kept apart by NUL, which none of them can hold, so no two pods share a secret. */
export function podHelperSecret(installationKey: Uint8Array, { sessionId, generation, nonce }: SecretContext): Uint8Array {
  const parts = ['helper', sessionId, String(generation), nonce];
  if (parts.some((part) => part.includes('\0'))) throw new TypeError('A part of the context of a secret holds a NUL.');
  return new Uint8Array(hkdfSync('sha256', installationKey, '', parts.join('\0'), SECRET_BYTES));
}
