/**
 * Giving a volume up: never under a session that mounts it.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { namespaceKey, sessionKey, volumeKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { changeVolume } from './change.ts';
import { finishVolume } from './finish.ts';
import { givenUp } from './lifecycle.ts';
import type { VolumeDocument } from './model.ts';
import { detachable } from './mountable.ts';
import { findOwnVolume, findVolume } from './read.ts';

const NAMED_SESSIONS = 5;

/**
 * Answers whether it is gone already; what is left of it is finished by the sweep. One that is gone is fine. Throws `AppError`
 * `not_found`, `forbidden`, `volume_in_use`.
 */
export async function deleteVolume(deps: Deps, caller: Caller, id: string): Promise<'deleting' | 'deleted'> {
  const { volume, access } = await findVolume(deps, caller, id);
  if (access === 'owner' && volume.status === 'deleted') return 'deleted';
  await findOwnVolume(deps, caller, id);
  return removeVolume(deps, id);
}

/** The same for Berth itself, as for a project whose data is to go. Throws `AppError` `volume_in_use`. */
export async function removeVolume(deps: Deps, id: string): Promise<'deleting' | 'deleted'> {
  const powerless = await sessionsWithoutRight(deps, id);
  await changeVolume(deps, id, (volume) => {
    const sessions = Object.fromEntries(Object.entries(volume.sessions).filter(([session]) => !powerless.has(session)));
    refuseUsed({ ...volume, sessions });
    return givenUp({ ...volume, sessions }, deps.clock.now());
  });
  try {
    await finishVolume(deps, id);
  } catch (error) {
    deps.log.log('warn', 'the end of a volume is left to the sweep', { component: 'storage', action: 'delete', volume_id: id, error });
  }
  const after = await deps.store.get<VolumeDocument>(volumeKey(id));
  return after === undefined || after.data.status === 'deleted' ? 'deleted' : 'deleting';
}

/** None of them can start with it again: a start asks for the right to mount anew. */
async function sessionsWithoutRight(deps: Deps, id: string): Promise<ReadonlySet<string>> {
  const volume = (await deps.store.get<VolumeDocument>(volumeKey(id)))?.data;
  if (volume === undefined) return new Set();
  const [namespace, ...sessions] = await Promise.all([
    deps.store.get<NamespaceDocument>(namespaceKey(volume.namespace)),
    ...Object.keys(volume.sessions).map((session) => deps.store.get<SessionDocument>(sessionKey(session))),
  ]);
  const present = sessions.flatMap((stored) => (stored === undefined ? [] : [stored.data]));
  return detachable(volume, present, namespace?.data);
}

function refuseUsed(volume: VolumeDocument): void {
  const sessions = Object.keys(volume.sessions);
  if (sessions.length === 0) return;
  const named = sessions.slice(0, NAMED_SESSIONS).join(', ');
  throw new AppError('volume_in_use', `The volume "${volume.name}" is mounted by ${String(sessions.length)} session(s): ${named}.`, {
    extensions: { sessions: sessions.slice(0, NAMED_SESSIONS) },
  });
}
