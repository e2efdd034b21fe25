/**
 * Writes what `lifecycle.ts` decides about one volume.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { volumeKey } from '../sessions/collections.ts';
import type { VolumeDocument } from './model.ts';

/**
 * One compare-and-swap, decided on the newest document; `decide` answers nothing where nothing changes. Returns the volume as it is after
 * the call, whoever wrote it, and undefined where there is none.
 */
export async function changeVolume(
  deps: Deps,
  id: string,
  decide: (volume: VolumeDocument) => VolumeDocument | undefined,
): Promise<VolumeDocument | undefined> {
  const key = volumeKey(id);
  return deps.store.transact([key], ([stored]) => {
    if (stored === undefined) return { writes: [], result: undefined };
    const present = stored.data as VolumeDocument;
    const next = decide(present);
    if (next === undefined) return { writes: [], result: present };
    return { writes: [{ type: 'set', key, data: next }], result: next };
  });
}

/** The same, as long as the volume is the one that was looked at, and not a later one of its name. */
export async function changeSame(
  deps: Deps,
  { id, incarnation }: Pick<VolumeDocument, 'id' | 'incarnation'>,
  decide: (volume: VolumeDocument) => VolumeDocument | undefined,
): Promise<VolumeDocument | undefined> {
  const written = await changeVolume(deps, id, (present) => (present.incarnation === incarnation ? decide(present) : undefined));
  return written?.incarnation === incarnation ? written : undefined;
}
