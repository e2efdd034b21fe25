/**
 * LimitRanges of a namespace: defaults for containers, and the least and most that containers and claims may ask for.
 *
 * @module
 */
import type { V1Container, V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node';
import type { LimitItem, LimitRange, Quantities } from '../limit-range.ts';
import { formatQuantity, quantityOf } from '../quantity.ts';
import { claims, pods } from '../resources.ts';
import { forbidden } from '../status.ts';
import { allContainers } from '../validation/pod.ts';

function items(ranges: readonly LimitRange[], type: string): readonly LimitItem[] {
  return ranges.flatMap(({ spec }) => spec?.limits ?? []).filter((item) => item.type === type);
}

/** Writes the defaults into a pod, and the annotation that says so. */
export function applyLimitDefaults(pod: V1Pod, ranges: readonly LimitRange[]): void {
  const notes = allContainers(pod.spec).flatMap((container) => items(ranges, 'Container').flatMap((item) => fill(container, item)));
  if (notes.length === 0) return;
  const { metadata = {} } = pod;
  pod.metadata = {
    ...metadata,
    annotations: { ...metadata.annotations, 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${notes.join('; ')}` },
  };
}

function fill(container: V1Container, item: LimitItem): readonly string[] {
  const resources = (container.resources ??= {});
  const requests = missing(resources.requests, item.defaultRequest);
  const limits = missing(resources.limits, item.default);
  if (Object.keys(requests).length > 0) resources.requests = { ...resources.requests, ...requests };
  if (Object.keys(limits).length > 0) resources.limits = { ...resources.limits, ...limits };
  const note = (set: Quantities, part: string): readonly string[] =>
    Object.keys(set).length === 0 ? [] : [`${Object.keys(set).toSorted().join(', ')} ${part} for container ${container.name}`];
  return [...note(requests, 'request'), ...note(limits, 'limit')];
}

function missing(present: Quantities = {}, defaults: Quantities = {}): Quantities {
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !(name in present)));
}

/** Throws 403 where a container asks for less or more than it may. */
export function enforceContainerLimits(pod: V1Pod, ranges: readonly LimitRange[]): void {
  const faults = items(ranges, 'Container').flatMap((item) =>
    allContainers(pod.spec).flatMap(({ resources }) => containerFaults(item, resources?.requests ?? {}, resources?.limits ?? {})),
  );
  refuse(faults, (message) => forbidden(pods, pod.metadata?.name ?? '', message));
}

function containerFaults({ min = {}, max = {} }: LimitItem, requests: Quantities, limits: Quantities): readonly string[] {
  const tooSmall = Object.entries(min).flatMap(([name, bound]) => {
    const asked = requests[name];
    if (asked === undefined) return [`minimum ${name} usage per Container is ${bound}.  No request is specified`];
    return quantityOf(asked).nano < quantityOf(bound).nano
      ? [`minimum ${name} usage per Container is ${bound}, but request is ${asked}`]
      : [];
  });
  const tooLarge = Object.entries(max).flatMap(([name, bound]) => {
    const asked = limits[name];
    if (asked === undefined) return [`maximum ${name} usage per Container is ${bound}.  No limit is specified`];
    return quantityOf(asked).nano > quantityOf(bound).nano
      ? [`maximum ${name} usage per Container is ${bound}, but limit is ${asked}`]
      : [];
  });
  return [...tooSmall, ...tooLarge];
}

/** Throws 403 where a claim asks for less or more storage than it may. */
export function enforceClaimLimits(claim: V1PersistentVolumeClaim, ranges: readonly LimitRange[]): void {
  const asked = quantityOf(claim.spec?.resources?.requests?.['storage']);
  const faults = items(ranges, 'PersistentVolumeClaim').flatMap(({ min, max }) => {
    const least = min?.['storage'];
    const most = max?.['storage'];
    return [
      ...(least !== undefined && asked.nano < quantityOf(least).nano
        ? [`minimum storage usage per PersistentVolumeClaim is ${least}, but request is ${formatQuantity(asked)}`]
        : []),
      ...(most !== undefined && asked.nano > quantityOf(most).nano
        ? [`maximum storage usage per PersistentVolumeClaim is ${most}, but request is ${formatQuantity(asked)}`]
        : []),
    ];
  });
  refuse(faults, (message) => forbidden(claims, claim.metadata?.name ?? '', message));
}

function refuse(faults: readonly string[], error: (message: string) => Error): void {
  if (faults.length > 0) throw error(faults.length === 1 ? faults.join('') : `[${faults.join(', ')}]`);
}
