/**
 * What a cluster in memory is made of, and what goes wrong with it.
 */
import type { FakeClock } from './fake-clock.ts';
import type { Chance, Network } from './fake-clock-network.ts';
import type { ClusterObject, ClusterObjects } from './fake-cluster-kubernetes-objects.ts';

export interface ApiFaults {
  /** How often a call fails with nothing done, and how often although it was done. */
  readonly before: number;
  readonly after: number;
  /** The API server is away: nothing is answered, nothing is done. */
  readonly away: boolean;
  /** How often a watch has to start anew (410 Gone). */
  readonly gone: number;
}

export interface FakeClusterOptions {
  readonly clock: FakeClock;
  readonly objects: ClusterObjects;
  readonly network: Network;
  readonly chance: Chance;
  readonly faults: () => ApiFaults;
  readonly onFault: (kind: 'API error before' | 'API error after' | 'API server away' | 'watch gone') => void;
  /** Called with what was there when a deletion was accepted, for tests that judge who deletes what. */
  readonly onDelete?: (kind: string, object: ClusterObject) => void;
}
