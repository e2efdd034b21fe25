/**
 * Makes store and cluster agree, both ways (design §5). A pass costs what has changed or is due, not what there is: documents by the
 * time at which somebody has to look at them, the cluster by its changes since the last pass. Safe at any time, any number at once.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import type { Sighting } from './actions.ts';
import { isFullDue, readCursor, writeCursor, type CursorDocument } from './cursor.ts';
import { sweepDeletedUsers, sweepDueSessions, sweepDueStorage, sweepEmptyNamespaces } from './due.ts';
import { judgeGone } from './judge-gone.ts';
import { judgeObjects } from './judge.ts';
import { takeLease } from './lease.ts';
import { observeChanges, podsNotRunning } from './observe.ts';
import { reconcile } from './reconcile.ts';
import { Tally, type PlannedAction } from './tally.ts';

export interface SweepOptions {
  /** Only says what it would do, of everything there is. */
  readonly dryRun?: boolean;
  /** Compares everything, whether that is due or not. */
  readonly full?: boolean;
}

export interface SweepReport {
  /** How often each action was taken. */
  readonly actions: Readonly<Record<string, number>>;
  /** What could not be done this time; the next pass tries again. */
  readonly failures: number;
  /** Another pass is under way: this one did nothing. */
  readonly skipped: boolean;
  /** Everything was compared. */
  readonly full: boolean;
  /** How many were looked at. */
  readonly sessions: number;
  readonly objects: number;
  readonly duration_ms: number;
  /** Of a dry run, the first thousand. */
  readonly planned?: readonly PlannedAction[];
}

/**
 * Throws `AppError` `cluster_unavailable` where the cluster cannot be read; what the store alone tells is done all the same, and
 * `StoreError` where the store cannot be read.
 */
export async function sweep(deps: Deps, { dryRun = false, full = false }: SweepOptions = {}): Promise<SweepReport> {
  const startedAt = performance.now();
  const tally = new Tally(deps, dryRun);
  const giveBack = dryRun ? async (): Promise<void> => {} : await takeLease(deps);
  let wasFull = false;
  if (giveBack !== undefined) {
    try {
      wasFull = await pass(deps, tally, full || dryRun);
    } finally {
      await giveBack();
    }
  }
  const report: SweepReport = {
    actions: tally.actions,
    failures: tally.failures,
    skipped: giveBack === undefined,
    full: wasFull,
    sessions: tally.sessions,
    objects: tally.objects,
    duration_ms: Math.round(performance.now() - startedAt),
    ...(dryRun ? { planned: tally.planned } : {}),
  };
  const { planned: _planned, ...fields } = report;
  deps.log.log('debug', 'sweep done', { component: 'sweep', action: 'sweep', ...fields });
  return report;
}

/** Answers whether everything was compared. */
async function pass(deps: Deps, tally: Tally, full: boolean): Promise<boolean> {
  // Neither half waits for the other: deadlines are kept while the cluster is away, and a slow store holds up no look at the cluster.
  const [cluster, ...due] = await Promise.allSettled([
    sweepCluster(deps, tally, full),
    sweepDueSessions(deps, tally),
    sweepDueStorage(deps, tally),
    sweepEmptyNamespaces(deps, tally),
    sweepDeletedUsers(deps, tally),
  ]);
  for (const result of due) if (result.status === 'rejected') throw result.reason;
  if (cluster.status === 'rejected') throw translateKubernetesError(cluster.reason);
  return cluster.value;
}

async function sweepCluster(deps: Deps, tally: Tally, full: boolean): Promise<boolean> {
  const kubernetes = await deps.kubernetes();
  const stored = await readCursor(deps);
  const { cursor } = stored;
  const isDue = full || isFullDue(cursor, deps.config.fullSweepSeconds, deps.clock.now());
  const followed = isDue ? undefined : await followChanges(deps, tally, kubernetes, cursor);
  const next = followed ?? (await reconcile(deps, tally, kubernetes, cursor));
  for await (const pods of podsNotRunning(deps, kubernetes)) await judgeObjects(deps, tally, pods);
  if (!tally.dryRun) await writeCursor(deps, stored, next);
  return followed === undefined;
}

/** `undefined`: the cluster has forgotten where the last pass ended. */
async function followChanges(
  deps: Deps,
  tally: Tally,
  kubernetes: Kubernetes,
  cursor: CursorDocument,
): Promise<CursorDocument | undefined> {
  const changes = await observeChanges(deps, kubernetes, cursor.versions);
  if (changes.isForgotten) return undefined;
  const seenAgain = new Set(changes.seen.map(({ uid }) => uid));
  const seen = [...changes.seen, ...cursor.unsettled.filter(({ uid }) => !seenAgain.has(uid))];
  const isGone = (sighting: Sighting): boolean => sighting.isGone === true;
  const unsettled = await judgeObjects(
    deps,
    tally,
    seen.filter((sighting) => !isGone(sighting)),
  );
  const unsettledGone = await judgeGone(deps, tally, seen.filter(isGone));
  return { ...cursor, versions: { ...cursor.versions, ...changes.versions }, unsettled: [...unsettled, ...unsettledGone] };
}
