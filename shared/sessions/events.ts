/**
 * What happened to a session: Berth's own history and what Kubernetes reports of its pod, in the order of time; and what its container
 * printed.
 *
 * @module
 */
import type { CoreV1Event } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { isNotFound, statusOf, translateKubernetesError } from '../kubernetes/errors.ts';
import { containerName } from '../pods/names.ts';
import type { SessionDocument } from './model.ts';

export interface SessionEventEntry {
  readonly at: string;
  readonly source: 'berth' | 'kubernetes';
  readonly type: 'normal' | 'warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

const LARGEST_EVENTS = 200;

/** Kubernetes forgets events after an hour, and all of them with the namespace; Berth's own stay with the session. */
export async function sessionEvents(deps: Deps, session: SessionDocument): Promise<readonly SessionEventEntry[]> {
  const own = session.history.map((entry): SessionEventEntry => ({
    at: entry.at,
    source: 'berth',
    type: entry.type === 'failed' ? 'warning' : 'normal',
    reason: entry.type,
    message: entry.message,
    count: 1,
  }));
  const events = session.status === 'terminated' ? [] : await podEvents(deps, session);
  return [...own, ...events].toSorted((left, right) => left.at.localeCompare(right.at));
}

async function podEvents(deps: Deps, session: SessionDocument): Promise<readonly SessionEventEntry[]> {
  try {
    const { core } = await deps.kubernetes();
    const list = await core.listNamespacedEvent({
      namespace: session.k8s_namespace,
      fieldSelector: `involvedObject.kind=Pod,involvedObject.name=${session.pod_name}`,
      limit: LARGEST_EVENTS,
    });
    return list.items.map(eventEntry);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw translateKubernetesError(error);
  }
}

function eventEntry(event: CoreV1Event): SessionEventEntry {
  const at = event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? event.metadata.creationTimestamp ?? new Date(0);
  return {
    at: new Date(at).toISOString(),
    source: 'kubernetes',
    type: event.type === 'Warning' ? 'warning' : 'normal',
    reason: event.reason ?? '',
    message: event.message ?? '',
    count: event.count ?? 1,
  };
}

export interface LogOptions {
  readonly tailLines?: number;
  /** Of the container before its last restart. */
  readonly previous: boolean;
  readonly limitBytes?: number;
}

const LARGEST_LOG_BYTES = 1024 * 1024;

/** The container's own output (not that of executions), the last MiB at most. Empty where the pod has not started or is gone. */
export async function sessionLogs(deps: Deps, session: SessionDocument, options: LogOptions): Promise<string> {
  try {
    const { core } = await deps.kubernetes();
    return await core.readNamespacedPodLog({
      name: session.pod_name,
      namespace: session.k8s_namespace,
      container: containerName,
      previous: options.previous,
      limitBytes: Math.min(options.limitBytes ?? LARGEST_LOG_BYTES, LARGEST_LOG_BYTES),
      ...(options.tailLines === undefined ? {} : { tailLines: options.tailLines }),
    });
  } catch (error) {
    // 400: the container waits to start, or has no earlier run; 404: the pod is not there.
    if (isNotFound(error) || statusOf(error)?.code === 400) return '';
    throw translateKubernetesError(error);
  }
}
