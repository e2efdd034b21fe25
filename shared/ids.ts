/**
 * Ids of 128 random bits.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';

export type NewId = () => string;

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';

/** 128 random bits as 26 characters of Crockford's base32 in lower case: safe in a URL, a Kubernetes name and a label. */
export function newId(): string {
  let bits = BigInt(`0x${randomBytes(16).toString('hex')}`);
  let id = '';
  for (let position = 0; position < 26; position += 1) {
    id = BASE32.charAt(Number(bits & 31n)) + id;
    bits >>= 5n;
  }
  return id;
}
