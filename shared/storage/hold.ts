/**
 * What a volume counts against its owner's limits. Pure.
 *
 * @module
 */
import { countedLimits, type Hold } from '../entitlements/model.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';

export function volumeHoldId(volumeId: string): string {
  return `volume-${volumeId}`;
}

/** From the transaction that makes the volume to the one that says it is gone. */
export function volumeHold({ type, size_gb }: Pick<VolumeDocument, 'type' | 'size_gb'>): Hold {
  return type === 'gcs_fuse' ? { buckets: 1, storage_gb: size_gb } : { pvcs: 1, storage_gb: size_gb };
}

export function snapshotHoldId(snapshotId: string): string {
  return `snapshot-${snapshotId}`;
}

/** What a volume made from it would have to hold: what the snapshot takes itself is not told. */
export function snapshotHold({ size_gb }: Pick<SnapshotDocument, 'size_gb'>): Hold {
  return { storage_gb: size_gb };
}

/** Several at once, for one admission. */
export function sumOfHolds(holds: readonly Hold[]): Hold {
  const sums = countedLimits.map((limit) => [limit, holds.reduce((sum, hold) => sum + (hold[limit] ?? 0), 0)] as const);
  return Object.fromEntries(sums.filter(([, sum]) => sum !== 0));
}
