/**
 * Words
 * - **sighting**: an object of this installation as the cluster showed it, its metadata alone or the whole pod.
 * - **orphan**: an object that no document stands for any more, or never did.
 * - **unsettled**: seen at a moment when nothing can be said of it yet: too young to be an orphan, or its session is still being made. It is
 *   judged again in the next pass, for the cluster does not tell of it a second time.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { ObjectMetadata } from '../kubernetes/port.ts';

/** What Berth makes in the cluster and finds again by its labels. Secrets are not among them: listing them would be reading them. */
export const objectKinds = ['pod', 'claim', 'snapshot', 'job', 'policy', 'namespace'] as const;
export type ObjectKind = (typeof objectKinds)[number];

/** Where each kind's objects of all namespaces are listed and watched. */
export const collectionPaths: Readonly<Record<ObjectKind, string>> = {
  pod: '/api/v1/pods',
  claim: '/api/v1/persistentvolumeclaims',
  snapshot: '/apis/snapshot.storage.k8s.io/v1/volumesnapshots',
  job: '/apis/batch/v1/jobs',
  policy: '/apis/networking.k8s.io/v1/networkpolicies',
  namespace: '/api/v1/namespaces',
};

export interface Sighting extends ObjectMetadata {
  readonly kind: ObjectKind;
  /** The whole pod, where it was seen. */
  readonly pod?: V1Pod;
  /** It was seen to go. */
  readonly isGone?: boolean;
}

export type SessionAction =
  | { readonly type: 'provision'; readonly id: string }
  /** Something is due: a deadline, an idle session, an end or a stop that was begun and not finished. The task looks and does it. */
  | { readonly type: 'expire'; readonly id: string }
  | { readonly type: 'pod_lost'; readonly id: string; readonly reason: string }
  | { readonly type: 'crash_loop'; readonly id: string; readonly reason: string }
  | { readonly type: 'container_restarted'; readonly id: string; readonly podUid: string; readonly count: number; readonly message: string }
  /** A create that was still under way when the session ended may have written its Secrets after those were removed. */
  | { readonly type: 'forget_secrets'; readonly id: string }
  /** The document says another time than its state asks for. */
  | { readonly type: 'mend_due'; readonly id: string };

export type ObjectAction =
  | { readonly type: 'remove_object'; readonly sighting: Sighting; readonly why: string }
  /** A claim that a session mounts and that no document stands for: it gets one. */
  | { readonly type: 'adopt_claim'; readonly sighting: Sighting; readonly sessionIds: readonly string[] }
  /** A namespace that no document names has been terminating for minutes. */
  | { readonly type: 'namespace_stuck'; readonly sighting: Sighting; readonly since: string };

export type NamespaceAction =
  /** Mark it `releasing`, then delete the Kubernetes namespace. */
  | { readonly type: 'release_namespace' }
  /** The Kubernetes namespace is gone: forget the name. */
  | { readonly type: 'forget_namespace' }
  /** It has been terminating for minutes: somebody has to look why. Nothing is asked for again. */
  | { readonly type: 'namespace_stuck'; readonly since: string };
