/**
 * The basics of a pod's spec, and what of it an update may change.
 *
 * @module
 */
import type { V1Container, V1Pod, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { deepEqual, isTree } from '../json.ts';
import { badRequest } from '../status.ts';
import type { FieldFault } from '../status.ts';
import { duplicate, forbiddenField, invalidValue, missing, required, unsupported } from './faults.ts';
import { jsonType } from './metadata.ts';
import { checkLabelName } from './names.ts';
import { checkResources, requireQuantities } from './resources.ts';

/** Throws 400 for members whose JSON type no pod can have; later code reads them without looking. */
export function decodePod(pod: V1Pod): void {
  const refuse = (value: unknown, field: string, type: string): never => {
    throw badRequest(
      `Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal ${jsonType(value)} into Go struct field ${field} of type ${type}`,
    );
  };
  const spec: unknown = pod.spec ?? {};
  if (!isTree(spec)) return refuse(spec, 'Pod.spec', 'v1.PodSpec');
  for (const name of ['containers', 'initContainers', 'volumes', 'tolerations']) {
    const items = spec[name] ?? [];
    if (!Array.isArray(items) || !items.every(isTree)) return refuse(items, `PodSpec.spec.${name}`, `[]v1.${name}`);
  }
  for (const container of allContainers(pod.spec)) {
    const { env = [], resources, ports = [], volumeMounts = [] } = container;
    const shaped = [env, ports, volumeMounts].every((items) => items === null || (Array.isArray(items) && items.every(isTree)));
    if (!shaped) return refuse('', 'Container.spec.containers', '[]v1.EnvVar');
    for (const { name, value } of env ?? []) {
      for (const [member, text] of Object.entries({ name, value }))
        if (text !== undefined && text !== null && typeof text !== 'string') refuse(text, `EnvVar.spec.containers.env.${member}`, 'string');
    }
    requireQuantities('Pod', resources?.requests);
    requireQuantities('Pod', resources?.limits);
  }
}

export function allContainers(spec: V1PodSpec | undefined): readonly V1Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

export function validatePod(pod: V1Pod): FieldFault[] {
  const spec = pod.spec ?? { containers: [] };
  const volumeNames = new Set((spec.volumes ?? []).map(({ name }) => name));
  const containers = spec.containers ?? [];
  const taken = new Set<string>();
  const faults = checkVolumes(spec.volumes ?? []);
  if (containers.length === 0) faults.push(required('spec.containers'));
  containers.forEach((container, index) => faults.push(...checkContainer(`spec.containers[${index}]`, container, taken, volumeNames)));
  (spec.initContainers ?? []).forEach((container, index) =>
    faults.push(...checkContainer(`spec.initContainers[${index}]`, container, taken, volumeNames)),
  );
  const policies = ['Always', 'OnFailure', 'Never'];
  if (!policies.includes(spec.restartPolicy ?? 'Always')) faults.push(unsupported('spec.restartPolicy', spec.restartPolicy, policies));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    faults.push(
      invalidValue('spec.terminationGracePeriodSeconds', spec.terminationGracePeriodSeconds, 'must be greater than or equal to 0'),
    );
  if ((spec.activeDeadlineSeconds ?? 1) < 1)
    faults.push(invalidValue('spec.activeDeadlineSeconds', spec.activeDeadlineSeconds, 'must be between 1 and 2147483647, inclusive'));
  return faults;
}

function checkVolumes(volumes: readonly V1Volume[]): FieldFault[] {
  const taken = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const field = `spec.volumes[${index}].name`;
    const repeated = taken.has(volume.name);
    taken.add(volume.name);
    return repeated ? [duplicate(field, volume.name)] : checkLabelName(field, volume.name);
  });
}

function checkContainer(field: string, container: V1Container, taken: Set<string>, volumeNames: ReadonlySet<string>): FieldFault[] {
  const faults = taken.has(container.name) ? [duplicate(`${field}.name`, container.name)] : checkLabelName(`${field}.name`, container.name);
  taken.add(container.name);
  if (container.image === undefined || container.image === '') faults.push(required(`${field}.image`));
  else if (container.image !== container.image.trim())
    faults.push(invalidValue(`${field}.image`, container.image, 'must not have leading or trailing whitespace'));
  (container.ports ?? []).forEach(({ containerPort }, index) => {
    if (!(Number.isInteger(containerPort) && containerPort >= 1 && containerPort <= 65535))
      faults.push(invalidValue(`${field}.ports[${index}].containerPort`, containerPort, 'must be between 1 and 65535, inclusive'));
  });
  (container.env ?? []).forEach(({ name }, index) => {
    if (name === undefined || name === '') faults.push(required(`${field}.env[${index}].name`));
    else if (!/^[\x20-\x3c\x3e-\x7e]+$/.test(name))
      faults.push(
        invalidValue(
          `${field}.env[${index}].name`,
          name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
  });
  const paths = new Set<string>();
  (container.volumeMounts ?? []).forEach((mount, index) => {
    const mountField = `${field}.volumeMounts[${index}]`;
    if (mount.name === undefined || mount.name === '') faults.push(required(`${mountField}.name`));
    else if (!volumeNames.has(mount.name)) faults.push(missing(`${mountField}.name`, mount.name));
    if (mount.mountPath === undefined || mount.mountPath === '') faults.push(required(`${mountField}.mountPath`));
    else if (paths.has(mount.mountPath)) faults.push(invalidValue(`${mountField}.mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount.mountPath);
  });
  return [...faults, ...checkResources(`${field}.resources`, container.resources)];
}

const UPDATE_WORDS =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** A pod's spec is immutable but for images, the deadline and further tolerations. The real message also carries a diff. */
export function validatePodUpdate(next: V1Pod, current: V1Pod): FieldFault[] {
  const images = (containers: readonly V1Container[] = [], from: readonly V1Container[] = []): unknown[] =>
    containers.map((container, index) => ({ ...container, image: from[index]?.image }));
  const before = current.spec ?? { containers: [] };
  const after = next.spec ?? { containers: [] };
  const kept = (before.tolerations ?? []).every((toleration) => (after.tolerations ?? []).some((item) => deepEqual(item, toleration)));
  const allowed = {
    ...after,
    containers: images(after.containers, before.containers),
    ...(after.initContainers !== undefined && { initContainers: images(after.initContainers, before.initContainers) }),
  };
  const comparable = (spec: object): object => ({ ...spec, activeDeadlineSeconds: 0, tolerations: [] });
  return kept && deepEqual(comparable(allowed), comparable(before)) ? [] : [forbiddenField('spec', UPDATE_WORDS)];
}
