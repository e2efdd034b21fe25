/**
 * Whether a document's time is over. The store removes it some time later, on Firestore up to a day
 * (https://firebase.google.com/docs/firestore/ttl); to whoever reads it, it is gone at its time.
 *
 * @module
 */

/** `purge_at`: RFC 3339; null or absent: it stays. Pure. */
export function isGone({ purge_at: purgeAt }: { readonly purge_at?: string | null }, now: Date): boolean {
  return typeof purgeAt === 'string' && Date.parse(purgeAt) <= now.getTime();
}
