/**
 * Ending the session of a project or conversation, and its data where that is not to stay: also the data that an earlier session has left.
 *
 * @module
 */
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { Condition } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { changeVolume } from '../storage/change.ts';
import { removeVolume } from '../storage/delete.ts';
import type { VolumeDocument } from '../storage/model.ts';
import { anchorVolumeName } from '../storage/names.ts';
import type { Anchor } from './anchors.ts';
import { byCaller, readSession } from './change.ts';
import { collections } from './collections.ts';
import { deleteSession } from './delete.ts';
import { findAnchored } from './ensure-anchored.ts';

/** One for each namespace and type in which the project has had its workspace. */
const MOST_VOLUMES = 200;

/**
 * One that has no session is fine. Throws `AppError`: `not_found` where the session is another user's; `volume_in_use` where its data is
 * mounted by a session of its own right.
 */
export async function deleteAnchored(deps: Deps, caller: Caller, anchor: Anchor, preserveData: boolean): Promise<void> {
  const session = (await findAnchored(deps, anchor))?.session;
  if (session !== undefined) {
    if (!mayActFor(caller, session.user)) throw new AppError('not_found', `The ${anchor.kind} "${anchor.id}" has no session.`);
    return deleteSession(deps, session.id, byCaller(caller, session.user), preserveData);
  }
  if (preserveData) return;
  for (const volume of await volumesOf(deps, caller, anchor)) {
    await endItsSessions(deps, caller, volume);
    const present = await changeVolume(deps, volume.id, (data) => (isUsed(data) ? undefined : { ...data, retain: false }));
    if (present?.going !== true) await removeVolume(deps, volume.id);
  }
}

/** Those that the caller may delete, found by their name: nobody else's volume may have such a name. */
async function volumesOf(deps: Deps, caller: Caller, anchor: Anchor): Promise<readonly VolumeDocument[]> {
  const where: Condition[] = [{ path: 'name', operator: '==', value: anchorVolumeName(anchor.kind, anchor.id) }];
  if (caller.kind === 'user') where.push({ path: 'user', operator: '==', value: caller.user });
  const { documents } = await deps.store.query<VolumeDocument>(collections.volumes, { where, limit: MOST_VOLUMES });
  return documents.map(({ data }) => data).filter(({ user, status }) => status !== 'deleted' && mayActFor(caller, user));
}

/** A session that is ending took its data for preserved; now it takes it along. */
async function endItsSessions(deps: Deps, caller: Caller, volume: VolumeDocument): Promise<void> {
  for (const id of Object.keys(volume.sessions)) {
    const session = (await readSession(deps, id))?.data;
    if (session?.status === 'terminating' && mayActFor(caller, session.user))
      await deleteSession(deps, id, byCaller(caller, session.user), false);
  }
}

function isUsed({ sessions }: VolumeDocument): boolean {
  return Object.keys(sessions).length > 0;
}
