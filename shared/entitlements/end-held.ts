/**
 * Ends what a user has, with the data in it.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { changeSession } from '../sessions/change.ts';
import { enqueueExpireAt } from '../sessions/expire-task.ts';
import type { LastChange } from '../sessions/model.ts';
import { changeVolume } from '../storage/change.ts';
import { givenUp } from '../storage/lifecycle.ts';
import type { VolumeDocument } from '../storage/model.ts';
import { giveUpSnapshot } from '../storage/snapshot-documents.ts';
import type { Held } from './held.ts';

export interface Ended {
  /** Ids of what was told to end; pods and disks may take a moment. */
  readonly sessions: readonly string[];
  readonly volumes: readonly string[];
  readonly snapshots: readonly string[];
}

/** So many at once that a user's thousand sessions are through within a request. */
const AT_ONCE = 20;

/**
 * Tells everything to end, and asks no cluster: each session has a task that does the rest, and the sweep does it for the volumes and snapshots. May be
 * done any number of times. Throws what the store and the queue throw.
 */
export async function endHeld(deps: Deps, { sessions, volumes, snapshots }: Held, by: LastChange): Promise<Ended> {
  const now = deps.clock.now();
  await eachOf(volumes, async ({ id }) => void (await changeVolume(deps, id, (volume) => endedVolume(volume, now))));
  await eachOf(snapshots, async (snapshot) => void (await giveUpSnapshot(deps, snapshot)));
  await eachOf(sessions, ({ id }) => endSession(deps, id, by));
  const idsOf = (things: readonly { readonly id: string }[]): readonly string[] => things.map(({ id }) => id);
  return { sessions: idsOf(sessions), volumes: idsOf(volumes), snapshots: idsOf(snapshots) };
}

async function endSession(deps: Deps, id: string, by: LastChange): Promise<void> {
  const ended = await changeSession(deps, id, { type: 'delete', preserveData: false }, by);
  if (ended?.changed === true) await enqueueExpireAt(deps, id, deps.clock.now());
}

/** One in use cannot go; from now on it goes with its last session, also where that is another user's. */
function endedVolume(volume: VolumeDocument, now: Date): VolumeDocument | undefined {
  const released = volume.retain ? { ...volume, retain: false } : volume;
  const next = Object.keys(volume.sessions).length === 0 ? givenUp(released, now) : released;
  return next === volume ? undefined : next;
}

async function eachOf<T>(things: readonly T[], act: (thing: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < things.length; start += AT_ONCE) await Promise.all(things.slice(start, start + AT_ONCE).map(act));
}
