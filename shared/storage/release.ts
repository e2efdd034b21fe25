/**
 * What becomes of a session's volumes when it has ended.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { pause } from '../kubernetes/retry.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { changeSame, changeVolume } from './change.ts';
import { finishVolume } from './finish.ts';
import { left, postponed } from './lifecycle.ts';
import type { VolumeDocument } from './model.ts';
import { closeBucket } from './readers.ts';

const LOOK_AGAIN_MS = 100;
/** The claim of a pod that is gone follows it within a second or two; what takes longer is left to the sweep. */
const PATIENCE_MS = 4000;

/**
 * To be called when the session's pod is gone, as often as need be. With `preserve` all its owner's volumes stay; without, those that
 * nothing else keeps go: their claim, their bucket, their place among their owner's limits. Once the volume's document says that it goes, what
 * is left of it is the sweep's business and no longer the session's. Throws what the store throws.
 */
export async function releaseVolumes(
  deps: Deps,
  session: SessionDocument,
  { preserve, signal }: { readonly preserve: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  const ids = new Set(session.spec.volumes.map((volume) => volume.volume_id));
  await Promise.all(
    [...ids].map(async (id) => {
      const volume = await changeVolume(deps, id, (present) => left(present, session, preserve, deps.clock.now()));
      if (volume === undefined) return;
      try {
        if (volume.status === 'deleting') await finishSoon(deps, id, signal);
        else if (volume.readers !== undefined) await closeBucket(deps, id, signal ?? AbortSignal.timeout(PATIENCE_MS));
      } catch (error) {
        await leaveToSweep(deps, volume, error);
      }
    }),
  );
}

async function finishSoon(deps: Deps, id: string, signal: AbortSignal | undefined): Promise<void> {
  using patience = startDeadline(PATIENCE_MS, signal);
  while ((await finishVolume(deps, id, signal)) === 'again') {
    try {
      await pause(LOOK_AGAIN_MS, patience.signal);
    } catch {
      return;
    }
  }
}

async function leaveToSweep(deps: Deps, volume: VolumeDocument, error: unknown): Promise<void> {
  const fields = { component: 'storage', action: 'release', volume_id: volume.id, user_id: volume.user };
  deps.log.log('warn', 'a volume that a session has left is left to the sweep', { ...fields, error });
  // One that goes is due already.
  const due = (present: VolumeDocument): VolumeDocument | undefined =>
    present.status === 'ready' ? postponed(present, present.reason, deps.clock.now()) : undefined;
  await changeSame(deps, volume, due);
}
