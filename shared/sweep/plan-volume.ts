/**
 * What has to be done about a volume that its sessions no longer use, or whose claim is gone. Pure.
 *
 * @module
 */
import type { SessionDocument } from '../sessions/model.ts';
import { givenUp, hintForLost, left } from '../storage/lifecycle.ts';
import type { VolumeDocument } from '../storage/model.ts';

/** The volume without the sessions that have ended, or of which no document is left. `undefined`: all of them live. */
export function withoutEnded(
  volume: VolumeDocument,
  sessions: ReadonlyMap<string, SessionDocument>,
  now: Date,
): VolumeDocument | undefined {
  let next: VolumeDocument | undefined;
  for (const id of Object.keys(volume.sessions)) {
    const session = sessions.get(id);
    if (session !== undefined && session.status !== 'terminated') continue;
    const present: VolumeDocument = next ?? volume;
    next = session === undefined ? forgotten(present, id, now) : (left(present, session, session.preserve_data, now) ?? present);
  }
  return next;
}

/** Of a session that nobody remembers, only the volume itself can say whether it stays. */
function forgotten(volume: VolumeDocument, sessionId: string, now: Date): VolumeDocument {
  const { [sessionId]: _forgotten, ...sessions } = volume.sessions;
  const next = { ...volume, sessions, updated_at: now.toISOString() };
  return Object.keys(sessions).length === 0 && !next.retain ? (givenUp(next, now) ?? next) : next;
}

/** Its data is gone with the claim, and its user has to hear of that. A session that asks for it again gets a new, empty one. */
export function claimLost(volume: VolumeDocument, now: Date): VolumeDocument | undefined {
  if (volume.status !== 'ready' || volume.type !== 'persistent_volume') return undefined;
  const reason = `claim_lost: The claim was deleted in the cluster, and the data with it. ${hintForLost}`;
  return { ...volume, status: 'failed', reason, due_at: null, updated_at: now.toISOString() };
}
