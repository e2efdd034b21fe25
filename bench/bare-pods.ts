/**
 * What a session is compared with: the same pod, created by hand beside it, and a command by a plain exec stream.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { newId } from '../shared/ids.ts';
import { isNotFound } from '../shared/kubernetes/errors.ts';
import type { Kubernetes } from '../shared/kubernetes/port.ts';
import { containerName } from '../shared/pods/names.ts';
import type { CreatedSession } from './session-calls.ts';

const PATIENCE_MS = 60_000;
const POLL_MS = 100;

/** Runs `sh -c true` in a session's container and reads its output to the end. */
export async function rawExec(kubernetes: Kubernetes, namespace: string, pod: string): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const stream = await kubernetes.exec({ namespace, pod, container: containerName, command: ['sh', '-c', 'true'], signal });
  stream.stdout.resume();
  stream.stderr.resume();
  const exit = await stream.exit;
  if (exit.type !== 'exited' || exit.exitCode !== 0) throw new Error(`the raw exec ended otherwise: ${JSON.stringify(exit)}`);
}

/** Waits, and ends at once on TERM. */
const waiting = ['sh', '-c', "trap 'exit 143' TERM; sleep 1000000 & wait"];

/** The session's pod under another name, without what makes it Berth's; in the same namespace, so that the same admission applies. */
export async function bareTwin(kubernetes: Kubernetes, session: CreatedSession): Promise<V1Pod> {
  const { spec } = await kubernetes.core.readNamespacedPod({ name: session.pod, namespace: session.namespace });
  if (spec === undefined) throw new Error(`the pod ${session.pod} has no spec`);
  const unbound = { ...spec, containers: spec.containers.map((container) => ({ ...container, command: waiting })) };
  delete unbound.nodeName;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: session.namespace, labels: { app: 'bare' } }, spec: unbound };
}

/** Milliseconds from the call that creates the pod to the end of its first command. The pod is gone afterwards. */
export async function timeBarePod(kubernetes: Kubernetes, twin: V1Pod): Promise<number> {
  const namespace = twin.metadata?.namespace ?? 'default';
  const name = `bare-${newId()}`;
  const started = performance.now();
  await kubernetes.core.createNamespacedPod({ namespace, body: { ...twin, metadata: { ...twin.metadata, name } } });
  try {
    await untilReady(kubernetes, namespace, name);
    await rawExec(kubernetes, namespace, name);
    return performance.now() - started;
  } finally {
    await kubernetes.core.deleteNamespacedPod({ name, namespace });
    await untilPodGone(kubernetes, namespace, name);
  }
}

/** By watch, as Berth does it and as `kubectl wait` does. */
async function untilReady(kubernetes: Kubernetes, namespace: string, name: string): Promise<void> {
  const abort = new AbortController();
  const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(PATIENCE_MS)]);
  const path = `/api/v1/namespaces/${namespace}/pods`;
  try {
    for await (const event of kubernetes.watch<V1Pod>({ path, fieldSelector: `metadata.name=${name}`, signal })) {
      if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
      if (event.object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true) return;
    }
  } finally {
    abort.abort();
  }
  throw new Error(`the pod ${name} was not ready within ${PATIENCE_MS} ms`);
}

/** Outside what is measured, so that one round's end does not slow the next one's start. */
export async function untilPodGone(kubernetes: Kubernetes, namespace: string, name: string): Promise<void> {
  await untilGone(`the pod ${name}`, () => kubernetes.core.readNamespacedPod({ name, namespace }));
}

/** The sweep releases the namespace after its last session; Berth has to run until then. */
export async function untilNamespaceGone(kubernetes: Kubernetes, name: string): Promise<void> {
  await untilGone(`the namespace ${name}`, () => kubernetes.core.readNamespace({ name }));
}

async function untilGone(what: string, read: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    try {
      await read();
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    await delay(POLL_MS);
  }
  throw new Error(`${what} was not gone within ${PATIENCE_MS} ms`);
}
