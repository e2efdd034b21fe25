/**
 * Words
 * - **volume**: storage that sessions mount; it has its own owner, size and life. Its id follows from its namespace and name, so that
 *   two creates of one name are one volume.
 * - **claim**: the PersistentVolumeClaim of a volume of type `persistent_volume`.
 * - **bucket**: the Cloud Storage bucket of a volume of type `gcs_fuse`.
 * - **retain**: the volume stays when the last session that uses it has ended; without it the volume goes with that session.
 * - **snapshot**: a volume's content at one moment; a new volume may be made from it.
 *
 * @module
 */
export const volumeTypes = ['persistent_volume', 'gcs_fuse'] as const;
export type VolumeType = (typeof volumeTypes)[number];

export const volumeStatuses = ['creating', 'ready', 'failed', 'deleting', 'deleted'] as const;
export type VolumeStatus = (typeof volumeStatuses)[number];

/** What a grant allows: `read` to look and mount read-only, `write` to use it as one's own. Neither allows to delete or to share it on. */
export const accesses = ['read', 'write'] as const;
export type Access = (typeof accesses)[number];

/** By user. */
export type Grants = Readonly<Record<string, Access>>;

/** `volumes/{id}`. */
export interface VolumeDocument {
  readonly id: string;
  /**
   * Told apart from an earlier volume of the same name, whose end somebody may still be finishing: its claim and its bucket say the same,
   * and who made them for one touches no other's.
   */
  readonly incarnation: string;
  readonly type: VolumeType;
  /** The caller's, or `session-<id>`, `project-<digest>`, `conversation-<digest>`; one of a kind in its namespace. */
  readonly name: string;
  readonly user: string;
  readonly namespace: string;
  readonly k8s_namespace: string;
  /** Of the PersistentVolumeClaim; null for a bucket. */
  readonly claim_name: string | null;
  /** Null for a claim. */
  readonly bucket_name: string | null;
  /** Berth made the bucket and may delete it. */
  readonly bucket_is_ours: boolean;
  readonly storage_class: string | null;
  /** Several sessions may mount it at once, on any node. */
  readonly shared: boolean;
  readonly size_gb: number;
  readonly status: VolumeStatus;
  readonly reason: string | null;
  readonly retain: boolean;
  /** Id of the session whose create made it; absent where it was made for itself. */
  readonly made_by?: string;
  /** It goes with the session that is ending: nobody else may mount it any more. */
  readonly going?: true;
  /** Ids of the sessions that mount it, ended ones left out. */
  readonly sessions: Readonly<Record<string, true>>;
  /** Of a bucket: the other Kubernetes namespaces whose pods were let in, until that is taken back. */
  readonly readers?: Readonly<Record<string, true>>;
  /** Ids of the snapshots made of it that are still there. */
  readonly snapshots?: Readonly<Record<string, true>>;
  readonly grants: Grants;
  /** Id of the snapshot that it was made from. */
  readonly snapshot_id: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  /** When the sweep has to look at it; null: never by itself. */
  readonly due_at: string | null;
  /** When the document itself goes. */
  readonly purge_at: string | null;
}

/** One mount of a session, resolved when the session is created. */
export interface SessionVolume {
  readonly volume_id: string;
  readonly type: VolumeType;
  /** Kubernetes name of the claim, or name of the bucket. */
  readonly source: string;
  readonly mount_path: string;
  readonly read_only: boolean;
  readonly size_gb: number;
  readonly shared: boolean;
  /** Of a bucket: only what lies below it is mounted. */
  readonly prefix?: string;
  readonly mount_options?: readonly string[];
}

export const snapshotStatuses = ['creating', 'ready', 'failed', 'deleting', 'deleted'] as const;
export type SnapshotStatus = (typeof snapshotStatuses)[number];

/** `snapshots/{id}`. */
export interface SnapshotDocument {
  readonly id: string;
  readonly volume_id: string;
  readonly user: string;
  readonly namespace: string;
  readonly k8s_namespace: string;
  /** Of the VolumeSnapshot in Kubernetes. */
  readonly snapshot_name: string;
  /** What a volume made from it has to hold. */
  readonly size_gb: number;
  readonly status: SnapshotStatus;
  readonly reason: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly due_at: string | null;
  readonly purge_at: string | null;
}
