/**
 * Where the documents of the domains lie in the store: the one place for collection names and ids.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { DocumentKey } from '../documents/port.ts';

export const collections = {
  sessions: 'sessions',
  users: 'users',
  namespaces: 'namespaces',
  idempotency: 'idempotency',
  /** What is shared with whom, by who got it. */
  grants: 'grants',
  keys: 'keys',
  volumes: 'volumes',
  snapshots: 'snapshots',
  /** Which session a project or conversation has. */
  anchors: 'anchors',
  /** When a session was last used; apart, so that its document is not hot. */
  activity: 'activity',
  templates: 'templates',
  webhooks: 'webhooks',
  /** Which webhooks a user has. */
  webhookLists: 'webhook_lists',
  audit: 'audit',
  /** What a user's sessions came to on one day. */
  rollups: 'rollups',
  /** Cursors of the sweep. */
  sweep: 'sweep',
  /** Events that have been handled, by their id. */
  handled: 'handled',
} as const;

export function sessionKey(id: string): DocumentKey {
  return { collection: collections.sessions, id };
}

/**
 * A user's name may be what a document's id may not (`a+b`, `__x__`), and a plain replacement could make two users one: hence the digest. A
 * name that looks like one is hashed too.
 */
export function userKey(user: string): DocumentKey {
  const safe = /^[A-Za-z0-9_:@-][A-Za-z0-9_.:@-]*$/.test(user) && !/^__.*__$|^sha256:/.test(user);
  return { collection: collections.users, id: safe ? user : `sha256:${createHash('sha256').update(user).digest('hex')}` };
}

export function volumeKey(id: string): DocumentKey {
  return { collection: collections.volumes, id };
}

export function snapshotKey(id: string): DocumentKey {
  return { collection: collections.snapshots, id };
}

export function namespaceKey(namespace: string): DocumentKey {
  return { collection: collections.namespaces, id: namespace };
}

/** One per project or conversation, whatever characters its id has. */
export function anchorKey({ kind, id }: { readonly kind: string; readonly id: string }): DocumentKey {
  return { collection: collections.anchors, id: createHash('sha256').update(`${kind}\n${id}`).digest('hex') };
}

export function activityKey(sessionId: string): DocumentKey {
  return { collection: collections.activity, id: sessionId };
}

/** One record per caller's user and key, whatever characters the key has. */
export function idempotencyKey(scope: string, key: string): DocumentKey {
  return { collection: collections.idempotency, id: createHash('sha256').update(`${scope}\n${key}`).digest('hex') };
}
