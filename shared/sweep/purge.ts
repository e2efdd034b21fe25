/**
 * Deletes documents whose time is over. Who reads them minds that time, so that nothing hangs on how soon they go; on Firestore, its own
 * expiry policy deletes most of them first (https://cloud.google.com/firestore/docs/ttl).
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError } from '../documents/port.ts';
import { collections } from '../sessions/collections.ts';
import { forEach, type Tally } from './tally.ts';

const purged = [
  collections.sessions,
  collections.volumes,
  collections.snapshots,
  collections.anchors,
  collections.activity,
  collections.idempotency,
  collections.keys,
  collections.audit,
  collections.handled,
  collections.rollups,
];

const PAGE = 200;
/** A pass has to end; what is left goes with the next. */
const MOST_PAGES = 50;

export async function purgeOld(deps: Deps, tally: Tally): Promise<void> {
  for (const collection of purged) {
    const until = deps.clock.now().toISOString();
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { documents } = await deps.store.query<{ readonly purge_at: string | null }>(collection, {
        where: [{ path: 'purge_at', operator: '<=', value: until }],
        orderBy: { path: 'purge_at', direction: 'ascending' },
        limit: PAGE,
      });
      await forEach(documents, ({ key, version }) =>
        tally.run(`purge_${collection}`, { document: key.id }, () => deleteUnchanged(deps, key, version), 'debug'),
      );
      // A dry run leaves them there, to be found again.
      if (documents.length < PAGE || tally.dryRun) break;
    }
  }
}

/** What has changed meanwhile may have been given more time. */
async function deleteUnchanged(deps: Deps, key: Parameters<Deps['store']['delete']>[0], version: string): Promise<void> {
  try {
    await deps.store.delete(key, version);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'conflict') throw error;
  }
}
