/**
 * A project's session that a conversation uses, too: from then on the conversation's path leads to it.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { aliasWrites, type AnchorDocument } from './anchors.ts';
import { anchorKey, sessionKey } from './collections.ts';
import type { SessionDocument } from './model.ts';

/** A session has one conversation, and a conversation that has a session of its own keeps that: then nothing changes. */
export async function nameConversation(deps: Deps, session: SessionDocument, asked: string | undefined): Promise<SessionDocument> {
  if (asked === undefined || session.conversation_id !== null) return session;
  const alias = { kind: 'conversation', id: asked } as const;
  return deps.store.transact([sessionKey(session.id), anchorKey(alias)], ([stored, anchor]) => {
    const present = stored?.data as SessionDocument | undefined;
    if (stored === undefined || present === undefined) return { writes: [], result: session };
    const isEnding = present.status === 'terminating' || present.status === 'terminated';
    const named: SessionDocument = { ...present, conversation_id: asked };
    const aliases = aliasWrites(anchor?.data as AnchorDocument | undefined, alias, named);
    if (isEnding || present.conversation_id !== null || aliases.length === 0) return { writes: [], result: session };
    return { writes: [{ type: 'set', key: stored.key, data: named }, ...aliases], result: named };
  });
}
