import { describe, expect, it } from 'vitest';
import { aliasWrites, anchorsOf, decideAnchor, freeAnchor, type AnchorDocument } from '../../../shared/sessions/anchors.ts';
import { anchorKey } from '../../../shared/sessions/collections.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

const session = sessionDocument();
const project = { kind: 'project', id: 'atlas' } as const;
const document: AnchorDocument = { ...project, session_id: session.id, user: 'alice', created_at: session.created_at };

function stored(data: AnchorDocument) {
  return { key: anchorKey(project), data, version: '1', updatedAt: new Date(0) };
}

describe('the anchor of a project', () => {
  it('is written with its session where there is none', () => {
    expect(decideAnchor(undefined, project, session)).toEqual({
      kind: 'free',
      write: { type: 'set', key: anchorKey(project), data: document },
    });
  });

  it('leads to the session that is there', () => {
    expect(decideAnchor({ ...document, session_id: 'other' }, project, session)).toEqual({ kind: 'taken', sessionId: 'other' });
  });

  it('is taken over from the very session that is known to be gone', () => {
    const before = { ...document, session_id: 'gone' };
    expect(decideAnchor(before, { ...project, replaces: 'gone' }, session)).toMatchObject({ kind: 'free' });
    expect(decideAnchor(before, { ...project, replaces: 'another' }, session)).toEqual({ kind: 'taken', sessionId: 'gone' });
  });

  it('is let go of by its own session alone', () => {
    expect(freeAnchor(stored(document), session.id)).toEqual([{ type: 'delete', key: anchorKey(project) }]);
    expect(freeAnchor(stored({ ...document, session_id: 'later' }), session.id)).toEqual([]);
    expect(freeAnchor(undefined, session.id)).toEqual([]);
  });

  it('comes first where a session names a conversation as well', () => {
    const conversation = { kind: 'conversation', id: 'c' };
    expect(anchorsOf(sessionDocument({ project_id: 'p', conversation_id: 'c' }))).toEqual([{ kind: 'project', id: 'p' }, conversation]);
    expect(anchorsOf(sessionDocument({ conversation_id: 'c' }))).toEqual([conversation]);
    expect(anchorsOf(sessionDocument())).toEqual([]);
  });

  it('has a conversation beside it that has no session of its own', () => {
    const alias = { kind: 'conversation', id: 'c' } as const;
    expect(aliasWrites(undefined, alias, session)).toMatchObject([{ key: anchorKey(alias), data: { ...alias, session_id: session.id } }]);
    expect(aliasWrites({ ...document, ...alias, session_id: 'its own' }, alias, session)).toEqual([]);
  });

  it('is another one than the conversation of the same id', () => {
    expect(anchorKey(project)).not.toEqual(anchorKey({ kind: 'conversation', id: 'atlas' }));
  });
});
