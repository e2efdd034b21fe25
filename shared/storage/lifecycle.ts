/**
 * How a volume's document changes: pure steps, each written by one compare-and-swap or inside a transaction.
 *
 * @module
 */
import type { SessionDocument } from '../sessions/model.ts';
import type { VolumeDocument } from './model.ts';
import { madeFor } from './names.ts';

const LOOK_AGAIN_MS = 10_000;
const DELETED_READABLE_MS = 7 * 24 * 3_600_000;

function later(now: Date, milliseconds: number): string {
  return new Date(now.getTime() + milliseconds).toISOString();
}

/** The volume has what it is about in the cluster. Undefined: it was given up meanwhile, or is ready already. */
export function readied(volume: VolumeDocument, now: Date): VolumeDocument | undefined {
  if (volume.status !== 'creating' && volume.status !== 'failed') return undefined;
  return { ...volume, status: 'ready', reason: null, due_at: null, updated_at: now.toISOString() };
}

/** Its owner has said that it is to be made anew, although what was in it is lost. `undefined`: nothing is. */
export function remade(volume: VolumeDocument, now: Date): VolumeDocument | undefined {
  return volume.status === 'failed' ? { ...volume, status: 'creating', reason: null, updated_at: now.toISOString() } : undefined;
}

/** What a user can do about a volume whose claim is gone. */
export const hintForLost = 'A new session with it, or PUT with ?recreate=true where it is a project’s, gets an empty one.';

/** It cannot be made, or what it was is lost; a session that asks for it again tries again. */
export function failed(volume: VolumeDocument, reason: string, now: Date): VolumeDocument | undefined {
  const isLost = volume.status === 'ready' && reason.startsWith('claim_lost:');
  if (volume.status !== 'creating' && !isLost) return undefined;
  return { ...volume, status: 'failed', reason, due_at: null, updated_at: now.toISOString() };
}

/**
 * For the transaction in which a session begins to end whose data is not to stay: who asks for the volume meanwhile would get the very data
 * that is to go. `undefined`: others mount it, or it stays.
 */
export function going(volume: VolumeDocument, session: SessionDocument): VolumeDocument | undefined {
  const isAlone = Object.keys(volume.sessions).every((id) => id === session.id) && volume.sessions[session.id] === true;
  const isDecided = !session.preserve_data && session.undone !== true && decidesAbout(volume, session);
  return isAlone && isDecided ? { ...volume, going: true, retain: false } : undefined;
}

/**
 * Without the session, which has ended. The last one takes the volume with it, unless it stays: because it was asked to, because this
 * session preserves what its owner owns, or because it was not made for this session. A session whose create was undone takes what that
 * create made, and decides about nothing else. `undefined`: the session has left already.
 */
export function left(volume: VolumeDocument, session: SessionDocument, preserve: boolean, now: Date): VolumeDocument | undefined {
  if (volume.sessions[session.id] === undefined) return undefined;
  const { [session.id]: _left, ...sessions } = volume.sessions;
  const isUnused = Object.keys(sessions).length === 0;
  const isUndone = session.undone === true;
  const retain = isUndone ? volume.retain && !(isUnused && volume.made_by === session.id) : retainedAfter(volume, session, preserve);
  const next = { ...volume, sessions, retain, updated_at: now.toISOString() };
  // One that was made for itself did not wait for this session, and stays although it would have gone with one.
  const goes = isUnused && !retain && !(isUndone && volume.made_by === undefined);
  if (goes) return givenUp(next, now) ?? next;
  // Its sessions were to make it; now somebody else has to.
  return isUnused && next.status === 'creating' ? { ...next, due_at: now.toISOString() } : next;
}

function retainedAfter(volume: VolumeDocument, session: SessionDocument, preserve: boolean): boolean {
  if (volume.going === true) return false;
  if (preserve) return volume.retain || volume.user === session.user;
  return decidesAbout(volume, session) ? false : volume.retain;
}

/** The sessions of a project preserve its volume by default, so that one of them does not is a decision about the volume itself. */
function decidesAbout(volume: VolumeDocument, session: SessionDocument): boolean {
  const isAnchored = session.project_id !== null || session.conversation_id !== null;
  return isAnchored && madeFor(volume, session);
}

/** Its claim or bucket may go now. `undefined`: that was decided before. */
export function givenUp(volume: VolumeDocument, now: Date): VolumeDocument | undefined {
  if (volume.status === 'deleting' || volume.status === 'deleted') return undefined;
  return { ...volume, status: 'deleting', reason: null, due_at: later(now, LOOK_AGAIN_MS), updated_at: now.toISOString() };
}

/** What is left of it is still there; it is looked at again. */
export function postponed(volume: VolumeDocument, reason: string | null, now: Date): VolumeDocument {
  return { ...volume, reason, due_at: later(now, LOOK_AGAIN_MS) };
}

/** Nothing of it is left. */
export function gone(volume: VolumeDocument, now: Date): VolumeDocument {
  const at = now.toISOString();
  return { ...volume, status: 'deleted', reason: null, due_at: null, updated_at: at, purge_at: later(now, DELETED_READABLE_MS) };
}
