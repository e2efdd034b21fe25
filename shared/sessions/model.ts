/**
 * Words
 * - **session**: what a caller asked for and owns. Outlives pods (stop/start), ends at its deadline. Id: 128 random bits, URL- and label-safe.
 * - **pod**: the one Kubernetes pod that a running session has.
 * - **execution**: one command run in the session's pod, answered in the same request.
 * - **generation**: how many pods the session has had; it names tasks and tells a late answer of an earlier pod from the present one.
 * - **template**: a named recipe for a pod. **tier**: small, medium, large, xlarge.
 * - **workspace_id**: a caller's own label for a piece of work; stored, returned, filterable, env `WORKSPACE_ID`; nothing else hangs on it.
 * - **namespace**: a caller's own grouping, one Kubernetes namespace each. The first user to use a name owns it.
 * - **installation**: one Berth; its id labels everything it creates, and it touches nothing else.
 * - **anchor**: the project or conversation whose one session this is.
 * - **activity**: what keeps a session from being idle: calls of the API, bytes in a shell, running jobs, processor time above a floor.
 * - **sweep**: the pass that makes store and cluster agree.
 *
 * The store says what should be, Kubernetes says what is. Every change of a session is one compare-and-swap write of its document.
 *
 * @module
 */
import type { UserType } from '../entitlements/model.ts';
import type { ChannelKind } from '../helper/model.ts';
import type { Grants, SessionVolume } from '../storage/model.ts';

export const sessionStatuses = ['creating', 'running', 'stopping', 'stopped', 'failed', 'terminating', 'terminated'] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

/** Kubernetes quantities, as they stand in the pod. */
export interface ResourceSpec {
  readonly cpu_requests: string;
  readonly memory_requests: string;
  readonly cpu: string;
  readonly memory: string;
}

/** Everything the pod is made from, resolved at create and never again: a later change of a template changes no session. */
export interface SessionSpec {
  readonly image: string;
  /** Replaces the keep-alive command; `null` keeps the pod up until it is deleted. */
  readonly command: readonly string[] | null;
  readonly resources: ResourceSpec;
  /** Names only: the values lie in the session's Kubernetes Secret. Sorted. */
  readonly env_names: readonly string[];
  readonly storage_type: 'ephemeral' | 'persistent_volume' | 'gcs_fuse';
  readonly workspace_gb: number;
  /** Absent: none. Without a type any accelerator will do. */
  readonly gpu?: { readonly type: string | null; readonly count: number };
  /** Beside the ephemeral workspace, or in its place where one is mounted at `/workspace`. */
  readonly volumes: readonly SessionVolume[];
  /** TCP ports of the pod that the session offers, the first one as `access_url`. */
  readonly ports: readonly number[];
  /** Runs in the pod before it goes, within the grace period; by `sh -c` where it is text. */
  readonly before_stop: readonly string[] | null;
  readonly grace_period_seconds: number;
  readonly start_deadline_seconds: number;
  readonly active_deadline_seconds: number;
  /** From the template; absent: `web`. */
  readonly egress?: 'web' | 'open';
  /** From the template; absent: the cluster's own. */
  readonly runtime_class?: string;
}

/** The helper in the session's pod. */
export interface SessionHelper {
  /** By upload into the running container, which needs a shell; or by an init container. */
  readonly delivery: 'upload' | 'init';
  /** Which installation key the pod's secret was made from, and with what; `null` where the pod has none and is reached by exec alone. */
  readonly secret: { readonly key_id: string; readonly nonce: string } | null;
}

/** Who made the last change, written with the change itself: a document event knows no caller. */
export interface LastChange {
  readonly by: string;
  readonly key_id: string | null;
  readonly request_id: string | null;
}

/** Something that happened to the session, for people; the newest fifty are kept. */
export interface HistoryEntry {
  readonly at: string;
  readonly type: string;
  readonly message: string;
}

/** `sessions/{id}`. */
export interface SessionDocument {
  readonly id: string;
  readonly user: string;
  readonly user_type: UserType;
  readonly namespace: string;
  readonly k8s_namespace: string;
  readonly name: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly workspace_id: string | null;
  readonly project_id: string | null;
  readonly conversation_id: string | null;
  readonly template: string;
  readonly resource_tier: string;
  readonly spec: SessionSpec;
  readonly warnings: readonly string[];
  /** Null: a session is never stopped for being idle. */
  readonly idle_timeout_minutes: number | null;
  /** Volumes that were made for this session stay when it ends. */
  readonly preserve_data: boolean;
  /** Its create was answered with an error: it takes what that create made, and leaves everything else as it was. */
  readonly undone?: true;
  readonly grants: Grants;

  readonly status: SessionStatus;
  /** `<code>: <words>`, e.g. `ErrImagePull: …`; null where there is nothing to say. */
  readonly reason: string | null;
  readonly generation: number;
  /** Absent in sessions from before there was a helper. */
  readonly helper?: SessionHelper;
  readonly pod_name: string;
  readonly pod_uid: string | null;
  readonly node_name: string | null;
  /** How the control plane reached the helper when the session became ready. */
  readonly channel?: ChannelKind | null;
  /** How often the kubelet has restarted the container of the present pod, as far as it is known. */
  readonly container_restarts?: number;
  /** When pods were lost lately: three within ten minutes end the session. */
  readonly pod_losses: readonly string[];

  readonly created_at: string;
  readonly updated_at: string;
  readonly started_at: string | null;
  readonly ttl_minutes: number;
  readonly expires_at: string;
  /** When a session that is `creating` now has to be ready. */
  readonly start_deadline: string;
  readonly stopped_at: string | null;
  /** A stopping session starts again as soon as its pod is gone. */
  readonly restarts: boolean;
  /** When somebody has to look at it next, at the latest; null: only an event changes it. The sweep reads what is due. */
  readonly due_at: string | null;
  readonly terminated_at: string | null;
  /** When the document itself goes. */
  readonly purge_at: string | null;

  readonly last_change: LastChange;
  readonly history: readonly HistoryEntry[];
}
