/**
 * Sharing: which user may do what with somebody else's session, volume or namespace. Pure; `share.ts` reads and writes.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { DocumentKey } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { collections, namespaceKey, sessionKey, volumeKey } from '../sessions/collections.ts';
import type { Access, Grants } from '../storage/model.ts';

export const sharedKinds = ['session', 'volume', 'namespace'] as const;
export type SharedKind = (typeof sharedKinds)[number];

/**
 * `grants/{digest}`: the same grant seen from the user who got it. Written with the grant in one transaction, it answers what is shared
 * with somebody; what counts is the grant in the shared thing itself.
 */
export interface GrantDocument {
  readonly kind: SharedKind;
  /** Of the session or volume, or the name of the namespace. */
  readonly id: string;
  readonly user: string;
  readonly owner: string;
  readonly access: Access;
  readonly created_at: string;
}

/** A session with more readers than this is better shared by its namespace; and a document is not endless. */
const MOST_GRANTS = 100;

export function grantKey(kind: SharedKind, id: string, user: string): DocumentKey {
  return { collection: collections.grants, id: createHash('sha256').update(`${kind}\n${id}\n${user}`).digest('hex') };
}

export function sharedKey(kind: SharedKind, id: string): DocumentKey {
  switch (kind) {
    case 'session':
      return sessionKey(id);
    case 'namespace':
      return namespaceKey(id);
    case 'volume':
      return volumeKey(id);
  }
}

/** The grants with that one in place. Throws `AppError` `validation_failed`, `too_many_grants`. */
export function withGrant(grants: Grants, owner: string, user: string, access: Access): Grants {
  if (user === owner) throw invalidUser('is the owner, who may do everything already');
  // Firestore has no fields of such names (https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields).
  if (/^__.*__$/.test(user)) throw invalidUser('cannot begin and end with two underscores');
  const next: Grants = { ...grants, [user]: access };
  if (Object.keys(next).length > MOST_GRANTS) {
    throw new AppError('too_many_grants', `It is shared with ${String(MOST_GRANTS)} users already, which is as many as there can be.`);
  }
  return next;
}

/** The grants without that user's. */
export function withoutGrant(grants: Grants, user: string): Grants {
  return Object.fromEntries(Object.entries(grants).filter(([name]) => name !== user));
}

function invalidUser(message: string): AppError {
  return new AppError('validation_failed', `It cannot be shared with this user: ${message}.`, { errors: [{ path: 'user', message }] });
}
