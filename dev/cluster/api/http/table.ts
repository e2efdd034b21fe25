/**
 * Server-side printing: the columns of `kubectl get`.
 *
 * @module
 */
import type {
  CoreV1Event,
  KubernetesObject,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1Pod,
  V1ResourceQuota,
  V1Secret,
  V1StorageClass,
} from '@kubernetes/client-node';
import type { Kind } from '../resources.ts';
import { ageOf } from './age.ts';
import { podStatusText, readyText, restartsText } from './pod-status.ts';

type Cell = string | number | boolean;

interface Layout {
  /** A trailing `+` marks a column of `-o wide`. */
  readonly columns: readonly string[];
  readonly cells: (object: KubernetesObject, now: Date) => readonly Cell[];
}

/** Typed access to the layout of one kind: the store keeps kinds apart, so the objects of a row are of its type. */
function layout<T extends KubernetesObject>(columns: string, cells: (object: T, now: Date) => readonly Cell[]): Layout {
  return { columns: columns.split('|'), cells: (object, now) => cells(object as T, now) };
}

function age(object: KubernetesObject, now: Date): string {
  return ageOf(object.metadata?.creationTimestamp, now);
}

function nameOf(object: KubernetesObject): string {
  return object.metadata?.name ?? '';
}

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function modes(accessModes: readonly string[] = []): string {
  return accessModes.map((mode) => MODES[mode] ?? mode).join(',');
}

function usage({ spec, status }: V1ResourceQuota, limits: boolean): string {
  const hard = Object.entries(status?.hard ?? spec?.hard ?? {}).filter(([name]) => name.startsWith('limits.') === limits);
  return hard
    .map(([name, value]) => `${name}: ${status?.used?.[name] ?? '0'}/${value}`)
    .toSorted()
    .join(', ');
}

function selectorText({ spec }: V1NetworkPolicy): string {
  const labels = Object.entries(spec?.podSelector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  return labels.length === 0 ? '<none>' : labels.join(',');
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  pods: layout<V1Pod>('Name|Ready|Status|Restarts|Age|IP+|Node+|Nominated Node+|Readiness Gates+', (pod, now) => [
    ...[nameOf(pod), readyText(pod), podStatusText(pod), restartsText(pod, now), age(pod, now)],
    ...[pod.status?.podIP ?? '<none>', pod.spec?.nodeName ?? '<none>', '<none>', '<none>'],
  ]),
  namespaces: layout<V1Namespace>('Name|Status|Age', (namespace, now) => [
    nameOf(namespace),
    namespace.status?.phase ?? '',
    age(namespace, now),
  ]),
  persistentvolumeclaims: layout<V1PersistentVolumeClaim>(
    'Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|VolumeMode+',
    (claim, now) => [
      ...[
        nameOf(claim),
        claim.metadata?.deletionTimestamp === undefined ? (claim.status?.phase ?? '') : 'Terminating',
        claim.spec?.volumeName ?? '',
      ],
      ...[
        claim.status?.capacity?.['storage'] ?? '',
        modes(claim.status?.accessModes),
        claim.spec?.storageClassName ?? '',
        '<unset>',
        age(claim, now),
        claim.spec?.volumeMode ?? '',
      ],
    ],
  ),
  persistentvolumes: layout<V1PersistentVolume>(
    'Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age|VolumeMode+',
    (volume, now) => [
      ...[
        nameOf(volume),
        volume.spec?.capacity?.['storage'] ?? '',
        modes(volume.spec?.accessModes),
        volume.spec?.persistentVolumeReclaimPolicy ?? '',
        volume.status?.phase ?? '',
      ],
      ...[
        `${volume.spec?.claimRef?.namespace}/${volume.spec?.claimRef?.name}`,
        volume.spec?.storageClassName ?? '',
        '<unset>',
        '',
        age(volume, now),
        volume.spec?.volumeMode ?? '',
      ],
    ],
  ),
  secrets: layout<V1Secret>('Name|Type|Data|Age', (secret, now) => [
    nameOf(secret),
    secret.type ?? '',
    Object.keys(secret.data ?? {}).length,
    age(secret, now),
  ]),
  serviceaccounts: layout('Name|Secrets|Age', (account, now) => [nameOf(account), 0, age(account, now)]),
  resourcequotas: layout<V1ResourceQuota>('Name|Request|Limit|Age', (quota, now) => [
    nameOf(quota),
    usage(quota, false),
    usage(quota, true),
    age(quota, now),
  ]),
  limitranges: layout('Name|Created At', (range) => [nameOf(range), String(range.metadata?.creationTimestamp ?? '')]),
  networkpolicies: layout<V1NetworkPolicy>('Name|Pod-Selector|Age', (policy, now) => [
    nameOf(policy),
    selectorText(policy),
    age(policy, now),
  ]),
  storageclasses: layout<V1StorageClass>('Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age', (item, now) => [
    ...[
      item.metadata?.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' ? `${nameOf(item)} (default)` : nameOf(item),
      item.provisioner,
    ],
    ...[item.reclaimPolicy ?? '', item.volumeBindingMode ?? '', item.allowVolumeExpansion ?? false, age(item, now)],
  ]),
  nodes: layout<V1Node>('Name|Status|Roles|Age|Version|Internal-IP+|OS-Image+|Container-Runtime+', (node, now) => [
    ...[
      nameOf(node),
      node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true ? 'Ready' : 'NotReady',
      '<none>',
      age(node, now),
    ],
    ...[
      node.status?.nodeInfo?.kubeletVersion ?? '',
      node.status?.addresses?.[0]?.address ?? '<none>',
      node.status?.nodeInfo?.osImage ?? '',
      node.status?.nodeInfo?.containerRuntimeVersion ?? '',
    ],
  ]),
  events: layout<CoreV1Event>('Last Seen|Type|Reason|Object|Subobject+|Source+|Message|First Seen+|Count+|Name+', (event, now) => [
    ...[ageOf(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, now), event.type ?? '', event.reason ?? ''],
    ...[
      `${(event.involvedObject.kind ?? '').toLowerCase()}/${event.involvedObject.name ?? ''}`,
      event.involvedObject.fieldPath ?? '',
      event.source?.component ?? '',
    ],
    ...[
      (event.message ?? '').trim(),
      ageOf(event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, now),
      event.count ?? 1,
      nameOf(event),
    ],
  ]),
};

const GENERIC = layout('Name|Age', (object, now) => [nameOf(object), age(object, now)]);

export interface TableRow {
  readonly object: KubernetesObject;
  /** What accompanies the row: the metadata alone unless asked otherwise. */
  readonly include: unknown;
}

/** The `Table` of some objects. A watch names the columns in its first event only. */
export function renderTable(kind: Kind, rows: readonly TableRow[], metadata: object, withColumns: boolean, now: Date): object {
  const { columns, cells } = LAYOUTS[kind.plural] ?? GENERIC;
  const definitions = columns.map((column) => {
    const name = column.replace(/\+$/, '');
    return { name, type: 'string', format: name === 'Name' ? 'name' : '', description: '', priority: column.endsWith('+') ? 1 : 0 };
  });
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withColumns ? definitions : null,
    rows: rows.map(({ object, include }) => ({ cells: cells(object, now), object: include })),
  };
}
