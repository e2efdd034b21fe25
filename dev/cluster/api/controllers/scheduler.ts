/**
 * The scheduler: puts pods on the one node where they fit, and says in the `PodScheduled` condition why not.
 *
 * @module
 */
import type { V1Node, V1NodeSelectorTerm, V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node';
import { podResources } from '../admission/quota.ts';
import type { ObjectStore } from '../object-store.ts';
import { quantityOf } from '../quantity.ts';
import { claims, NODE_NAME, nodes, pods } from '../resources.ts';
import { meets } from '../selectors.ts';
import type { Operator } from '../selectors.ts';
import { bindClaim, claimNames } from './claims.ts';

const COMPONENT = 'default-scheduler';

/** In nano-units. */
interface Requests {
  readonly cpu: bigint;
  readonly memory: bigint;
}

/** What the pods on the node have requested together. */
export interface Load extends Requests {
  readonly pods: number;
}

/** Why the pod does not fit, in the scheduler's words, or `undefined`. Affinity between pods holds by itself on one node. */
export function unfit(pod: V1Pod, node: V1Node, load: Load): string | undefined {
  const words = (reason: string, preemption: string): string =>
    `0/1 nodes are available: ${reason}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 ${preemption}.`;
  if (!selectsNode(pod, node))
    return words("1 node(s) didn't match Pod's node affinity/selector", 'Preemption is not helpful for scheduling');
  const allocatable = node.status?.allocatable ?? {};
  const requests = podResources(pod, 'requests');
  const full: string[] = load.pods >= Number(allocatable['pods'] ?? 0) ? ['1 Too many pods'] : [];
  let possible = true;
  for (const [name, quantity] of requests) {
    const total = quantityOf(allocatable[name]).nano;
    const used = name === 'cpu' || name === 'memory' ? load[name] : 0n;
    if (quantity.nano === 0n || quantity.nano + used <= total) continue;
    full.push(`1 Insufficient ${name}`);
    if (quantity.nano > total) possible = false;
  }
  if (full.length === 0) return undefined;
  return words(
    full.toSorted().join(', '),
    possible ? 'No preemption victims found for incoming pod' : 'Preemption is not helpful for scheduling',
  );
}

function selectsNode(pod: V1Pod, node: V1Node): boolean {
  const labels = node.metadata?.labels;
  const wanted = Object.entries(pod.spec?.nodeSelector ?? {});
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const matches = ({ matchExpressions = [] }: V1NodeSelectorTerm): boolean =>
    matchExpressions.every(({ key, operator, values = [] }) => isOperator(operator) && meets(labels, { key, operator, values }));
  return (
    wanted.every(([key, value]) => meets(labels, { key, operator: 'In', values: [value] })) && (terms === undefined || terms.some(matches))
  );
}

function isOperator(value: string): value is Operator {
  return ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'].includes(value);
}

export function startScheduler(objects: ObjectStore, now: () => Date): () => void {
  const waiting = new Map<string, { readonly namespace: string | undefined; readonly name: string }>();
  const placed = new Map<string, Requests>();

  const attempt = (namespace: string | undefined, name: string): void => {
    const pod = objects.get<V1Pod>(pods, namespace, name);
    const node = objects.get<V1Node>(nodes, undefined, NODE_NAME);
    if (pod === undefined || node === undefined || pod.spec?.nodeName !== undefined) return;
    const obstacle = unfit(pod, node, sumLoad(placed.values())) ?? claimObstacle(objects, pod);
    if (obstacle !== undefined) return refuse(objects, pod, obstacle, now());
    placed.set(pod.metadata?.uid ?? '', requestsOf(pod));
    assign(objects, pod, now());
  };
  const attemptAll = (): void => {
    for (const { namespace, name } of [...waiting.values()]) attempt(namespace, name);
  };
  const observe = (type: string, pod: V1Pod): void => {
    const { uid = '', namespace, name = '', deletionTimestamp } = pod.metadata ?? {};
    const ended = type === 'DELETED' || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    const unassigned = !ended && pod.spec?.nodeName === undefined && deletionTimestamp === undefined;
    if (unassigned && (pod.spec?.schedulerName ?? COMPONENT) === COMPONENT) {
      const known = waiting.has(uid);
      waiting.set(uid, { namespace, name });
      // A pod's own changes (its condition, most of all) are no reason to look again.
      if (!known) attempt(namespace, name);
      return;
    }
    waiting.delete(uid);
    if (!ended && pod.spec?.nodeName !== undefined) placed.set(uid, placed.get(uid) ?? requestsOf(pod));
    if (ended && placed.delete(uid)) attemptAll();
  };

  const unsubscribe = [
    objects.subscribe<V1Pod>(pods, ({ type, object }) => observe(type, object)),
    objects.subscribe<V1PersistentVolumeClaim>(claims, ({ type }) => {
      if (type === 'ADDED') attemptAll();
    }),
    objects.subscribe<V1Node>(nodes, attemptAll),
  ];
  return () => unsubscribe.forEach((stop) => stop());
}

function sumLoad(placed: Iterable<Requests>): Load {
  const load = { pods: 0, cpu: 0n, memory: 0n };
  for (const { cpu, memory } of placed) {
    load.pods += 1;
    load.cpu += cpu;
    load.memory += memory;
  }
  return load;
}

function requestsOf(pod: V1Pod): Requests {
  const requests = podResources(pod, 'requests');
  return { cpu: requests.get('cpu')?.nano ?? 0n, memory: requests.get('memory')?.nano ?? 0n };
}

/** Binds the pod's claims, which wait for just this, and says what keeps one from it. */
function claimObstacle(objects: ObjectStore, pod: V1Pod): string | undefined {
  for (const name of claimNames(pod)) {
    const claim = objects.get<V1PersistentVolumeClaim>(claims, pod.metadata?.namespace, name);
    if (claim === undefined) return `0/1 nodes are available: persistentvolumeclaim "${name}" not found. not found`;
    if (claim.metadata?.deletionTimestamp !== undefined)
      return `0/1 nodes are available: persistentvolumeclaim "${name}" is being deleted. not found`;
  }
  for (const name of claimNames(pod)) {
    const claim = objects.get<V1PersistentVolumeClaim>(claims, pod.metadata?.namespace, name);
    const obstacle = claim === undefined || claim.status?.phase === 'Bound' ? undefined : bindClaim(objects, claim);
    if (obstacle !== undefined) return `0/1 nodes are available: ${obstacle}. not found`;
  }
  return undefined;
}

function refuse(objects: ObjectStore, pod: V1Pod, message: string, now: Date): void {
  const { namespace, name = '' } = pod.metadata ?? {};
  objects.update<V1Pod>(pods, namespace, name, (object) =>
    setScheduled(object, { status: 'False', reason: 'Unschedulable', message }, now),
  );
  objects.recordEvent(pod, 'Warning', 'FailedScheduling', message, COMPONENT);
}

function assign(objects: ObjectStore, pod: V1Pod, now: Date): void {
  const { namespace = '', name = '' } = pod.metadata ?? {};
  objects.update<V1Pod>(pods, namespace, name, (object) => {
    if (object.spec !== undefined) object.spec.nodeName = NODE_NAME;
    setScheduled(object, { status: 'True' }, now);
  });
  objects.recordEvent(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${NODE_NAME}`, COMPONENT);
}

function setScheduled(
  pod: V1Pod,
  outcome: { readonly status: string; readonly reason?: string; readonly message?: string },
  now: Date,
): void {
  const conditions = pod.status?.conditions ?? [];
  const present = conditions.find(({ type }) => type === 'PodScheduled');
  const lastTransitionTime = present?.status === outcome.status && present.lastTransitionTime ? present.lastTransitionTime : now;
  const condition = { type: 'PodScheduled', observedGeneration: pod.metadata?.generation ?? 1, ...outcome, lastTransitionTime };
  pod.status = { ...pod.status, conditions: [...conditions.filter(({ type }) => type !== 'PodScheduled'), condition] };
}
