/**
 * The one session of a project or a conversation. Its document is written in the transaction that admits the session and deleted in the
 * one that begins to end it, so there is at most one at any time, whoever asks at once. Pure.
 *
 * @module
 */
import type { StoredDocument, Write } from '../documents/port.ts';
import { anchorKey } from './collections.ts';
import type { SessionDocument } from './model.ts';

export const anchorKinds = ['project', 'conversation'] as const;
export type AnchorKind = (typeof anchorKinds)[number];

/** Ids are one space per installation: a project belongs to whoever has its session. */
export interface Anchor {
  readonly kind: AnchorKind;
  readonly id: string;
}

/** `anchors/{digest of kind and id}`. */
export interface AnchorDocument extends Anchor {
  readonly session_id: string;
  readonly user: string;
  readonly created_at: string;
}

/** What an admission is told of it. */
export interface AnchorRequest extends Anchor {
  /** A session that is known to be gone: its anchor is taken over. */
  readonly replaces?: string;
}

export type AnchorDecision =
  /** The project has a session: nothing is admitted. */
  { readonly kind: 'taken'; readonly sessionId: string } | { readonly kind: 'free'; readonly write: Write };

/** Every path that leads to the session: a conversation's as well where its session is a project's. */
export function anchorsOf(session: Pick<SessionDocument, 'project_id' | 'conversation_id'>): readonly Anchor[] {
  const { project_id, conversation_id } = session;
  return [
    ...(project_id === null ? [] : [{ kind: 'project', id: project_id } as const]),
    ...(conversation_id === null ? [] : [{ kind: 'conversation', id: conversation_id } as const]),
  ];
}

/**
 * For the transaction that admits the session, or names its conversation: the further path to it. A conversation that has a session of its
 * own keeps that.
 */
export function aliasWrites(before: AnchorDocument | undefined, alias: Anchor, session: SessionDocument): readonly Write[] {
  if (before !== undefined) return [];
  return [{ type: 'set', key: anchorKey(alias), data: anchorDocument(alias, session) }];
}

function anchorDocument({ kind, id }: Anchor, session: SessionDocument): AnchorDocument {
  return { kind, id, session_id: session.id, user: session.user, created_at: session.created_at };
}

/** For the transaction that admits the session. */
export function decideAnchor(before: AnchorDocument | undefined, request: AnchorRequest, session: SessionDocument): AnchorDecision {
  if (before !== undefined && before.session_id !== request.replaces) return { kind: 'taken', sessionId: before.session_id };
  return { kind: 'free', write: { type: 'set', key: anchorKey(request), data: anchorDocument(request, session) } };
}

/** For the transaction that begins to end the session: a later session's anchor is left alone. */
export function freeAnchor(stored: StoredDocument<object> | undefined, sessionId: string): readonly Write[] {
  if (stored === undefined || (stored.data as AnchorDocument).session_id !== sessionId) return [];
  return [{ type: 'delete', key: stored.key }];
}
