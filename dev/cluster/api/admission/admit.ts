/**
 * The way of a new or changed object through defaults, mutating admission, validation and validating admission, in the order of the
 * real API server. Nothing here writes.
 *
 * @module
 */
import type { KubernetesObject, V1Namespace, V1Pod, V1ResourceQuota, V1ServiceAccount, V1StorageClass } from '@kubernetes/client-node';
import { applyDefaults, begin, qosClass } from '../defaults.ts';
import type { LimitRange } from '../limit-range.ts';
import type { ObjectStore } from '../object-store.ts';
import { claims, limitRanges, namespaces, pods, resourceQuotas, serviceAccounts, storageClasses } from '../resources.ts';
import type { Kind } from '../resources.ts';
import { forbidden, invalid } from '../status.ts';
import { validateMetadata } from '../validation/metadata.ts';
import { decodeKind, validateKind, validateKindUpdate } from '../validation/kinds.ts';
import { applyLimitDefaults, enforceClaimLimits, enforceContainerLimits } from './limit-ranger.ts';
import { admitNamespace } from './namespace-lifecycle.ts';
import { podSecurityViolation } from './pod-security.ts';
import type { Level } from './pod-security.ts';
import { admitQuota, sumUsage, usageOf } from './quota.ts';
import type { Usage } from './quota.ts';
import { admitServiceAccount } from './service-account.ts';

/** Completes a new object in place. Throws the `Status` of the first refusal. */
export function admitNew(objects: ObjectStore, kind: Kind, object: KubernetesObject): void {
  const namespace = object.metadata?.namespace;
  decodeKind(kind, object);
  if (namespace !== undefined) admitNamespace(kind, object, namespace, objects.get<V1Namespace>(namespaces, undefined, namespace));
  applyDefaults(kind, object);
  begin(kind, object, { storageClasses: objects.list<V1StorageClass>(storageClasses) });
  const ranges = namespace === undefined ? [] : objects.list<LimitRange>(limitRanges, namespace);
  if (kind === pods && namespace !== undefined) completePod(objects, object, namespace, ranges);
  refuseFaults(kind, object, [...validateMetadata(kind, object), ...validateKind(kind, object)]);
  if (namespace === undefined) return;
  if (kind === pods) {
    enforceContainerLimits(object, ranges);
    enforcePodSecurity(objects, object, namespace);
  }
  if (kind === claims) enforceClaimLimits(object, ranges);
  enforceQuotas(objects, kind, object, namespace, new Map());
}

/** Completes a changed object in place. Throws the `Status` of the first refusal. */
export function admitChange(objects: ObjectStore, kind: Kind, next: KubernetesObject, current: KubernetesObject): void {
  decodeKind(kind, next);
  applyDefaults(kind, next);
  refuseFaults(kind, next, [...validateMetadata(kind, next), ...validateKindUpdate(kind, next, current)]);
  const namespace = next.metadata?.namespace;
  if (namespace !== undefined && kind === claims) enforceQuotas(objects, kind, next, namespace, usageOf(kind, current));
}

function refuseFaults(kind: Kind, object: KubernetesObject, faults: ReturnType<typeof validateMetadata>): void {
  if (faults.length > 0) throw invalid(kind.kind, kind.group, object.metadata?.name ?? '', faults);
}

function completePod(objects: ObjectStore, pod: V1Pod, namespace: string, ranges: readonly LimitRange[]): void {
  applyLimitDefaults(pod, ranges);
  admitServiceAccount(pod, namespace, (name) => objects.get<V1ServiceAccount>(serviceAccounts, namespace, name) !== undefined);
  if (pod.spec !== undefined) pod.status = { ...pod.status, qosClass: qosClass(pod.spec) };
}

const ENFORCE = 'pod-security.kubernetes.io/enforce';

function enforcePodSecurity(objects: ObjectStore, pod: V1Pod, namespace: string): void {
  const labels = objects.get<V1Namespace>(namespaces, undefined, namespace)?.metadata?.labels ?? {};
  const level = labels[ENFORCE];
  if (!isLevel(level)) return;
  const violation = podSecurityViolation(pod, level, labels[`${ENFORCE}-version`]);
  if (violation !== undefined) throw forbidden(pods, pod.metadata?.name ?? '', violation);
}

function isLevel(value: string | undefined): value is Level {
  return value === 'privileged' || value === 'baseline' || value === 'restricted';
}

function enforceQuotas(objects: ObjectStore, kind: Kind, object: KubernetesObject, namespace: string, before: Usage): void {
  for (const quota of objects.list<V1ResourceQuota>(resourceQuotas, namespace)) {
    admitQuota(
      kind,
      object,
      quota,
      (names) =>
        sumUsage(
          names,
          objects.list(kind, namespace).map((item) => usageOf(kind, item)),
        ),
      before,
    );
  }
}
