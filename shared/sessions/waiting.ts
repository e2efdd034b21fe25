/**
 * Says in the session's document what its start waits for, so that who reads it meanwhile knows.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError } from '../documents/port.ts';
import { readSession } from './change.ts';
import { withDue } from './due.ts';
import type { SessionDocument } from './model.ts';

/** Changes the reason alone, and only while this generation is being made; who is faster has better news. */
export async function noteWaiting(deps: Deps, session: SessionDocument, reason: string): Promise<void> {
  const stored = await readSession(deps, session.id);
  if (stored === undefined) return;
  const { data } = stored;
  if (data.status !== 'creating' || data.generation !== session.generation || data.reason === reason) return;
  try {
    await deps.store.update(stored.key, withDue({ ...data, reason, updated_at: deps.clock.now().toISOString() }), stored.version);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'conflict') throw error;
  }
}
