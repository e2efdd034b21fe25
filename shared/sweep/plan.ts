/**
 * What has to be done so that store and cluster agree. Pure: documents, objects and the time in, actions out.
 *
 * @module
 */
import type { V1Namespace, V1Pod } from '@kubernetes/client-node';
import { mayRelease } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { labels } from '../pods/names.ts';
import { podState } from '../pods/status.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { creatingGraceMs } from '../sessions/patience.ts';

export type SessionAction =
  | { readonly type: 'provision'; readonly id: string }
  /** Deadline reached, or the end begun and not finished. */
  | { readonly type: 'expire'; readonly id: string }
  | { readonly type: 'pod_lost'; readonly id: string; readonly reason: string }
  | { readonly type: 'crash_loop'; readonly id: string; readonly reason: string }
  /** A create that was still under way when the session ended may have written its Secrets after those were removed. */
  | { readonly type: 'forget_secrets'; readonly id: string };

const TERMINATING_GRACE_MS = 10_000;
/** Longer than any create may still be under way. */
const FORGET_SECRETS_MS = 12 * 60_000;

function age(since: string, now: Date): number {
  return now.getTime() - Date.parse(since);
}

/** `pod` is the session's present pod, or `undefined` where the cluster has none of that name. */
export function planSession(session: SessionDocument, pod: V1Pod | undefined, now: Date): SessionAction | undefined {
  const { id } = session;
  if (session.status === 'terminated') return planTerminated(session, now);
  if (session.status === 'terminating') return age(session.updated_at, now) >= TERMINATING_GRACE_MS ? { type: 'expire', id } : undefined;
  if (age(session.expires_at, now) >= 0) return { type: 'expire', id };
  if (session.status === 'creating')
    return age(session.updated_at, now) >= 2 * creatingGraceMs(session.spec) ? { type: 'provision', id } : undefined;
  return session.status === 'running' ? planRunning(session, pod, now) : undefined;
}

function planTerminated(session: SessionDocument, now: Date): SessionAction | undefined {
  const hasSecrets = session.spec.env_names.length > 0 || (session.helper?.secret ?? null) !== null;
  if (!hasSecrets || session.terminated_at === null) return undefined;
  return age(session.terminated_at, now) < FORGET_SECRETS_MS ? { type: 'forget_secrets', id: session.id } : undefined;
}

function planRunning(session: SessionDocument, pod: V1Pod | undefined, now: Date): SessionAction | undefined {
  const { id } = session;
  if (pod === undefined || pod.metadata?.uid !== session.pod_uid) return { type: 'pod_lost', id, reason: 'the pod is gone' };
  if (pod.metadata.deletionTimestamp !== undefined) return { type: 'pod_lost', id, reason: 'the pod is being deleted' };
  const state = podState(pod, { now });
  if (state.kind !== 'failed') return undefined;
  const reason = `${state.reason}: ${state.message}`;
  return { type: state.reason === 'CrashLoopBackOff' ? 'crash_loop' : 'pod_lost', id, reason };
}

/** Whether the pod may be deleted: its session has ended, was never admitted, or has another pod by now. `session` is read after the pod. */
export function isOrphan(pod: V1Pod, session: SessionDocument | undefined): boolean {
  if (pod.metadata?.deletionTimestamp !== undefined) return false;
  if (session === undefined) return true;
  if (session.status === 'terminated' || session.status === 'failed' || session.status === 'stopped') return true;
  const generation = Number(pod.metadata?.labels?.[labels.generation]);
  return Number.isInteger(generation) && generation < session.generation;
}

export function sessionIdOf(pod: V1Pod): string | undefined {
  return pod.metadata?.labels?.[labels.session];
}

export type NamespaceAction =
  /** Mark it `releasing`, then delete the Kubernetes namespace. */
  | { readonly type: 'release' }
  /** The Kubernetes namespace is gone: forget the name. */
  | { readonly type: 'forget' };

export function planNamespace(
  document: NamespaceDocument,
  namespace: V1Namespace | undefined,
  lingerSeconds: number,
  now: Date,
): NamespaceAction | undefined {
  if (!mayRelease(document, lingerSeconds, now)) return undefined;
  return namespace === undefined ? { type: 'forget' } : { type: 'release' };
}
