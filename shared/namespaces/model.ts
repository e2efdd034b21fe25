/**
 * Words
 * - **namespace**: a caller's own grouping, one Kubernetes namespace each. The first user to use a name owns it; it is nobody's again
 *   when its last session is gone. Without a name a session lands in the user's own (`u-…`).
 * - **lingering**: an empty namespace's Kubernetes namespace stays for a while, so that a user who deletes one session and creates the
 *   next does not wait for it to be torn down and built again.
 * - **releasing**: the Kubernetes namespace is being deleted. Whoever needs the name next waits for that to end and builds it anew.
 *
 * @module
 */
import type { Grants } from '../storage/model.ts';

export interface NamespaceDocument {
  readonly namespace: string;
  readonly owner: string;
  readonly k8s_namespace: string;
  readonly state: 'active' | 'releasing';
  /** Ids of the sessions that need it. */
  readonly sessions: Readonly<Record<string, true>>;
  /** Ids of the volumes in it, which outlive sessions; absent in documents from before there were any. */
  readonly volumes?: Readonly<Record<string, true>>;
  readonly grants?: Grants;
  /** Somebody who is not the owner has had something in it since it has been the owner's. */
  readonly has_guests?: true;
  /** Since when nobody needs it; null while somebody does. */
  readonly emptied_at: string | null;
  /**
   * The Kubernetes namespace that was built for it. What is released is this one and no other: a deletion that names the uid cannot hit
   * one that was built anew meanwhile. Null where it is not known.
   */
  readonly k8s_uid: string | null;
  /** Digest of the objects that were written into the Kubernetes namespace; null where they have to be written. */
  readonly objects_digest: string | null;
  readonly created_at: string;
}
