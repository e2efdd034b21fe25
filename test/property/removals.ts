/**
 * What has to be true of everything that Berth takes away from the cluster, at the moment it does.
 */
import { labels } from '../../shared/pods/names.ts';
import { isSound } from '../fakes/fake-cluster-kubernetes-node.ts';
import type { ClusterObject } from '../fakes/fake-cluster-kubernetes-objects.ts';
import type { RulesContext } from './rules.ts';

export interface RemovalContext extends RulesContext {
  readonly installation: string;
  /** What nobody knows of may be somebody's work under way for so long. */
  readonly orphanGraceMs: number;
}

export function judgeRemoval(context: RemovalContext, kind: string, object: ClusterObject): void {
  const { ledger, installation } = context;
  const { name } = object.metadata;
  ledger.tell(() => `  delete ${kind} ${name}`);
  if (object.metadata.labels?.[labels.installation] !== installation && ['Pod', 'Namespace', 'PersistentVolumeClaim'].includes(kind)) {
    ledger.broken('nothing is touched but what is our own', `${kind} ${name}`);
  }
  if (kind === 'Pod') judgePod(context, object);
  if (kind === 'PersistentVolumeClaim') judgeClaim(context, object);
  if (kind === 'Namespace') judgeNamespace(context, object);
}

function judgePod(context: RemovalContext, pod: ClusterObject): void {
  const session = context.mirror.sessions.get(pod.metadata.labels?.[labels.session] ?? '');
  if (session === undefined) return judgeAge(context, 'Pod', pod);
  if (session.status === 'running' && session.pod_uid === pod.metadata.uid && isSound(pod)) {
    context.ledger.broken('a pod goes after its session lets go of it', `${session.id} runs`);
  }
}

function judgeClaim(context: RemovalContext, claim: ClusterObject): void {
  const volume = [...context.mirror.volumes.values()].find(
    (candidate) => candidate.claim_name === claim.metadata.name && candidate.k8s_namespace === claim.metadata.namespace,
  );
  if (volume === undefined) return judgeAge(context, 'PersistentVolumeClaim', claim);
  if (volume.status !== 'deleting' && volume.status !== 'deleted') {
    context.ledger.broken('data stays while its document says so', `${volume.name} is ${volume.status}`);
  }
  const users = Object.keys(volume.sessions);
  if (users.length > 0) context.ledger.broken('a volume in use stays', `${volume.name} is used by ${users.join(', ')}`);
}

function judgeNamespace(context: RemovalContext, namespace: ClusterObject): void {
  const { name } = namespace.metadata;
  const document = [...context.mirror.namespaces.values()].find(({ k8s_namespace: candidate }) => candidate === name);
  if (document === undefined) return judgeAge(context, 'Namespace', namespace);
  if (document.state === 'releasing') return;
  const needs = [...Object.keys(document.sessions), ...Object.keys(document.volumes ?? {})];
  if (needs.length > 0) context.ledger.broken('a namespace stays while somebody needs it', `${name} is needed by ${needs.join(', ')}`);
}

function judgeAge({ clock, ledger, orphanGraceMs }: RemovalContext, kind: string, object: ClusterObject): void {
  const ageMs = clock.ms - Date.parse(String(object.metadata.creationTimestamp));
  // The cluster's times are whole seconds, and its clock and Berth's differ.
  if (ageMs < orphanGraceMs - 31_000) ledger.broken('an orphan has its grace period', `${kind} ${object.metadata.name} is ${ageMs} ms old`);
}
