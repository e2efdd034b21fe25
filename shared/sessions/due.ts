/**
 * When somebody has to look at a session next. It stands in the document as `due_at`, so that the sweep reads what is due and nothing
 * else; a task that is laid for the same time makes it exact.
 *
 * @module
 */
import type { SessionDocument } from './model.ts';
import { creatingGraceMs } from './patience.ts';

const MINUTE_MS = 60_000;
/** What is on its way to an end is finished within moments, or by whoever looks next. */
const ENDING_GRACE_MS = 10_000;
/** Longer than a create may still be writing the Secrets of a session that has ended under its hands. */
const LATE_CREATE_MS = MINUTE_MS;

/** Sessions of projects and conversations stop at their deadline, for their users resume where they left off; only a delete ends them. */
export function isAnchored(session: Pick<SessionDocument, 'project_id' | 'conversation_id'>): boolean {
  return session.project_id !== null || session.conversation_id !== null;
}

/**
 * RFC 3339; null where nothing happens by itself any more. Pure.
 *
 * - creating: when its request must have died (its task finishes it); the start's deadline and the session's own come later or bound it.
 * - running: the deadline, or a whole idle timeout after the last time somebody looked.
 * - stopping, terminating: moments after it began.
 * - stopped, failed: the deadline; never, where a deadline does not end the session.
 * - terminated: once more, for what a late create has written.
 */
export function dueAt(session: SessionDocument): string | null {
  switch (session.status) {
    case 'creating':
      return earliest(
        after(session.updated_at, 2 * creatingGraceMs(session.spec)),
        session.start_deadline,
        ...(isAnchored(session) ? [] : [session.expires_at]),
      );
    case 'running':
      if (session.idle_timeout_minutes === null) return session.expires_at;
      return earliest(session.expires_at, after(session.updated_at, session.idle_timeout_minutes * MINUTE_MS));
    case 'stopping':
    case 'terminating':
      return after(session.updated_at, ENDING_GRACE_MS);
    case 'stopped':
    case 'failed':
      return isAnchored(session) ? null : session.expires_at;
    case 'terminated':
      return session.terminated_at === null ? null : after(session.terminated_at, LATE_CREATE_MS);
  }
}

/** The session with its `due_at` put right; what writes a session's document without `nextState` goes through here. */
export function withDue(session: SessionDocument): SessionDocument {
  return { ...session, due_at: dueAt(session) };
}

function after(since: string, milliseconds: number): string {
  return new Date(Date.parse(since) + milliseconds).toISOString();
}

/** RFC 3339 in UTC with milliseconds: their order as text is their order in time. */
function earliest(first: string, ...others: readonly string[]): string {
  return others.reduce((least, time) => (time < least ? time : least), first);
}
