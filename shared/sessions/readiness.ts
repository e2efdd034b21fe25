/**
 * Waits for a session's pod by watching it.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { podState } from '../pods/status.ts';
import type { SessionDocument } from './model.ts';

export type Readiness =
  | { readonly kind: 'ready'; readonly podUid: string; readonly nodeName: string | null }
  | { readonly kind: 'failed'; readonly reason: string }
  /** The pod is gone, or time is up: the session's document tells what to do. */
  | { readonly kind: 'changed' };

/** How often a pod that does not change is judged again: some reasons count only once they have lasted. */
const JUDGE_AGAIN_MS = 5000;
/** https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export async function waitUntilReady(
  deps: Deps,
  kubernetes: Kubernetes,
  session: SessionDocument,
  created: V1Pod,
  signal: AbortSignal,
): Promise<Readiness> {
  const done = new AbortController();
  using deadline = startDeadline(leftMs(deps, session));
  const stop = AbortSignal.any([signal, done.signal, deadline.signal]);
  let newest = created;
  const { promise: judged, resolve } = Promise.withResolvers<Readiness>();
  const judge = (): void => {
    const verdict = judgePod(newest, deps.clock.now());
    if (verdict !== undefined) resolve(verdict);
  };
  const timer = setInterval(judge, JUDGE_AGAIN_MS);
  const watching = follow(kubernetes, session, created, stop, (pod) => {
    if (pod === undefined) return resolve({ kind: 'changed' });
    newest = pod;
    judge();
  });
  try {
    judge();
    return await Promise.race([judged, watching.then((): Readiness => ({ kind: 'changed' }))]);
  } finally {
    clearInterval(timer);
    done.abort();
  }
}

/** Milliseconds until the session has to be ready. */
export function leftMs(deps: Deps, session: SessionDocument): number {
  const left = Date.parse(session.start_deadline) - deps.clock.now().getTime();
  return Math.max(0, Math.min(left, LONGEST_TIMER_MS));
}

/** Calls with each state of the pod, and with `undefined` when it is gone. Ends when the signal aborts. */
async function follow(
  kubernetes: Kubernetes,
  session: SessionDocument,
  created: V1Pod,
  signal: AbortSignal,
  onPod: (pod: V1Pod | undefined) => void,
): Promise<void> {
  const resourceVersion = created.metadata?.resourceVersion;
  const events = kubernetes.watch<V1Pod>({
    path: `/api/v1/namespaces/${session.k8s_namespace}/pods`,
    fieldSelector: `metadata.name=${session.pod_name}`,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    signal,
  });
  let seen = true;
  for await (const event of events) {
    if (event.type === 'RESTARTED') seen = false;
    else if (event.type === 'BOOKMARK') {
      if (!seen) return;
    } else if (event.type === 'DELETED') onPod(undefined);
    else {
      seen = true;
      onPod(event.object);
    }
  }
}

function judgePod(pod: V1Pod, now: Date): Readiness | undefined {
  if (pod.metadata?.deletionTimestamp !== undefined) return undefined;
  const state = podState(pod, { now });
  if (state.kind === 'ready') return { kind: 'ready', podUid: pod.metadata?.uid ?? '', nodeName: pod.spec?.nodeName ?? null };
  if (state.kind === 'failed') return { kind: 'failed', reason: `${state.reason}: ${state.message}` };
  return undefined;
}
