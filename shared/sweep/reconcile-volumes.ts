/**
 * Compares each volume with its sessions and with its claim, a page at a time.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { labels } from '../pods/names.ts';
import { collections, sessionKey } from '../sessions/collections.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { changeVolume } from '../storage/change.ts';
import { readClaim } from '../storage/claim.ts';
import type { VolumeDocument, VolumeStatus } from '../storage/model.ts';
import { readMany } from './documents.ts';
import { everyObject } from './observe.ts';
import { claimLost, withoutEnded } from './plan-volume.ts';
import { forEach, type Tally } from './tally.ts';

/** So many ids fit into a selector. */
const PAGE = 100;

const alive: readonly VolumeStatus[] = ['creating', 'ready', 'failed'];

export async function reconcileVolumes(deps: Deps, tally: Tally, kubernetes: Kubernetes): Promise<void> {
  const query = { where: [{ path: 'status', operator: 'in' as const, value: alive }], limit: PAGE };
  let cursor: string | undefined;
  do {
    const page = await deps.store.query<VolumeDocument>(collections.volumes, { ...query, ...(cursor === undefined ? {} : { cursor }) });
    const volumes = page.documents.map(({ data }) => data);
    await leaveEnded(deps, tally, volumes);
    await findLostClaims(deps, tally, kubernetes, volumes);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

async function leaveEnded(deps: Deps, tally: Tally, volumes: readonly VolumeDocument[]): Promise<void> {
  const ids = volumes.flatMap(({ sessions }) => Object.keys(sessions));
  const sessions = await readMany<SessionDocument>(deps, ids, sessionKey);
  await forEach(volumes, async (volume) => {
    if (withoutEnded(volume, sessions, deps.clock.now()) === undefined) return;
    const fields = { volume_id: volume.id, user_id: volume.user };
    await tally.run('release_volume', fields, () =>
      changeVolume(deps, volume.id, (present) => {
        // A session that began to use it since is not among those that were read: nothing is known of it.
        const isNew = Object.keys(present.sessions).some((id) => volume.sessions[id] === undefined);
        return isNew ? undefined : withoutEnded(present, sessions, deps.clock.now());
      }),
    );
  });
}

async function findLostClaims(deps: Deps, tally: Tally, kubernetes: Kubernetes, volumes: readonly VolumeDocument[]): Promise<void> {
  const wanted = volumes.filter(hasClaim);
  if (wanted.length === 0) return;
  const present = new Set<string>();
  const selector = `${labels.volume} in (${wanted.map(({ id }) => id).join(',')})`;
  for await (const { sightings } of everyObject(deps, kubernetes, 'claim', selector)) {
    for (const claim of sightings) present.add(claim.labels[labels.volume] ?? '');
  }
  const missing = wanted.filter(({ id }) => !present.has(id));
  await markLost(deps, tally, missing);
}

function hasClaim({ status, type }: VolumeDocument): boolean {
  return status === 'ready' && type === 'persistent_volume';
}

/** Volumes whose claim was missed; what was seen may be older than the claim, so it is looked for once more. */
export async function markLost(deps: Deps, tally: Tally, volumes: readonly VolumeDocument[]): Promise<void> {
  await forEach(volumes.filter(hasClaim), async (volume) => {
    const fields = { volume_id: volume.id, user_id: volume.user };
    try {
      if ((await readClaim(deps, volume)) !== undefined) return;
    } catch (error) {
      return tally.fail('look_at_claim', fields, error);
    }
    await tally.run('claim_lost', fields, () => changeVolume(deps, volume.id, (present) => claimLost(present, deps.clock.now())));
  });
}
