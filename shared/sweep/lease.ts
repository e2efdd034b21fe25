/**
 * Keeps two passes from doing the same work side by side. Nothing breaks where they do: every step is idempotent or a compare-and-swap.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument } from '../documents/port.ts';
import { collections } from '../sessions/collections.ts';
import { isGone, thisOwner } from '../tasks/owner.ts';

interface LeaseDocument {
  readonly pass: string;
  /** The process, for those on the same machine. */
  readonly owner: string;
  readonly expires_at: string;
}

/** Shorter than the minute between two passes: who dies with the lease holds up nobody. */
const LEASE_MS = 50_000;

const key = { collection: collections.sweep, id: 'lease' };

/** Gives the lease back when called; `undefined` where another pass holds it. */
export async function takeLease(deps: Deps): Promise<(() => Promise<void>) | undefined> {
  const now = deps.clock.now();
  const present = await deps.store.get<LeaseDocument>(key);
  if (present !== undefined && isHeld(deps, present.data, now)) return undefined;
  const lease: LeaseDocument = { pass: deps.newId(), owner: thisOwner(), expires_at: new Date(now.getTime() + LEASE_MS).toISOString() };
  const taken = await unlessLost(() =>
    present === undefined ? deps.store.create(key, lease) : deps.store.update(key, lease, present.version),
  );
  return taken === undefined ? undefined : () => giveBack(deps, taken);
}

function isHeld(deps: Deps, lease: LeaseDocument, now: Date): boolean {
  if (Date.parse(lease.expires_at) <= now.getTime()) return false;
  // One file, one machine: a process that was killed is known to be gone.
  return deps.config.store.type !== 'sqlite' || !isGone(lease.owner);
}

async function giveBack(deps: Deps, taken: StoredDocument<LeaseDocument>): Promise<void> {
  const over: LeaseDocument = { ...taken.data, expires_at: new Date(0).toISOString() };
  await unlessLost(() => deps.store.update(key, over, taken.version));
}

async function unlessLost<T>(write: () => Promise<T>): Promise<T | undefined> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'conflict' || error.code === 'already_exists')) return undefined;
    throw error;
  }
}
