/**
 * Words
 * - **user type**: normal, pro, enterprise, admin: which limits apply.
 * - **entitlements**: those limits, after the configuration's and the user's own values.
 * - **holds**: what one session, job or volume counts against them, kept in the user's document under its id. Usage is their sum, so
 *   to reserve is to put a key and to release is to delete it: idempotent, never negative, no counter to drift.
 *
 * @module
 */
export const userTypes = ['normal', 'pro', 'enterprise', 'admin'] as const;
export type UserType = (typeof userTypes)[number];

export interface Entitlements {
  readonly sessions: number;
  readonly jobs: number;
  readonly ttl_minutes: number;
  readonly buckets: number;
  readonly pvcs: number;
  readonly storage_gb: number;
  /** Sum of the CPU requests, in cores. */
  readonly cpu: number;
  /** Sum of the memory requests, in GiB. */
  readonly memory_gb: number;
  readonly gpus: number;
  readonly share: boolean;
  readonly cross_namespace: boolean;
}

/** The limits that are a sum of what is held. */
export const countedLimits = ['sessions', 'jobs', 'buckets', 'pvcs', 'storage_gb', 'cpu', 'memory_gb', 'gpus'] as const;
export type CountedLimit = (typeof countedLimits)[number];

/** What one thing counts; absent means nothing. */
export type Hold = Readonly<Partial<Record<CountedLimit, number>>>;
export type Usage = Readonly<Record<CountedLimit, number>>;

/** `users/{user}`. A user without a document has the default type and holds nothing. */
export interface UserDocument {
  readonly user: string;
  readonly type: UserType;
  readonly limits: Partial<Entitlements>;
  /** `session-<id>`, `job-<id>`, `volume-<id>`, `snapshot-<id>` -> what it counts. */
  readonly holds: Readonly<Record<string, Hold>>;
  readonly created_at: string;
  /** The user may hold nothing new, and what was held ends. The document stays, so that an identity token does not bring the user back. */
  readonly deleted_at?: string;
  /** When the sweep looks next whether something of a deleted user is left; null: nothing was. */
  readonly due_at?: string | null;
}
