/**
 * What is judged together: some documents, and the objects in the cluster that belong to them.
 *
 * @module
 */
import type { NamespaceDocument } from '../namespaces/model.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { SnapshotDocument, VolumeDocument } from '../storage/model.ts';
import type { Sighting } from './actions.ts';

/** Documents, each by what the objects in the cluster name it by. */
export interface StorePage {
  readonly sessions: ReadonlyMap<string, SessionDocument>;
  readonly volumes: ReadonlyMap<string, VolumeDocument>;
  readonly snapshots: ReadonlyMap<string, SnapshotDocument>;
  /** By the name of the Kubernetes namespace. */
  readonly namespaces: ReadonlyMap<string, NamespaceDocument>;
}

export interface ClusterPage {
  readonly objects: readonly Sighting[];
  /** These sessions' pods would all be among the objects: one that is not is gone. Of other sessions nothing is known. */
  readonly hasPodsOf: ReadonlySet<string>;
}
