/**
 * A pod's volumes as folders of the machine.
 *
 * @module
 */
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type {
  V1ConfigMapVolumeSource,
  V1Container,
  V1PersistentVolumeClaim,
  V1Pod,
  V1SecretVolumeSource,
  V1Volume,
} from '@kubernetes/client-node';
import { parseQuantity } from '../quantities.ts';
import { outsideId } from '../runtime/identity.ts';
import { StartError } from '../runtime/port.ts';
import type { MemoryVolume, Mount } from '../runtime/port.ts';
import { configMapValues, ConfigError, resolveUser, secretValues } from './container-config.ts';
import type { References } from './container-config.ts';

/** A volume is not there yet: the pod waits, and `FailedMount` is recorded where there is a message. */
export class VolumeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'VolumeError';
  }
}

export interface VolumeContext {
  /** `<data>/pods/<uid>/volumes`. */
  readonly folder: string;
  /** `<data>/volumes`, where claims have theirs by the name of the persistent volume. */
  readonly claimFolder: string;
  readonly references: References;
  claim(name: string): V1PersistentVolumeClaim | undefined;
  /** Files can be given to the pod's user. */
  readonly asRoot: boolean;
}

/** Makes what is missing; repeated at every start of the pod. Throws `VolumeError`. Returns the folder of each volume. */
export function prepareVolumes(pod: V1Pod, context: VolumeContext): ReadonlyMap<string, string> {
  const folders = new Map<string, string>();
  for (const volume of pod.spec?.volumes ?? []) {
    try {
      folders.set(volume.name, prepareVolume(pod, volume, context));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`);
    }
  }
  return folders;
}

function prepareVolume(pod: V1Pod, volume: V1Volume, context: VolumeContext): string {
  const folder = join(context.folder, volume.name);
  if (volume.emptyDir) makeFolder(folder, pod, context);
  else if (volume.persistentVolumeClaim) return prepareClaim(pod, volume.persistentVolumeClaim.claimName, context);
  else if (volume.secret) writeFiles(pod, folder, secretFiles(volume.secret, context), context);
  else if (volume.configMap) writeFiles(pod, folder, configMapFiles(volume.configMap, context), context);
  else
    throw new ConfigError(`the embedded cluster has no volumes of type ${Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'}`);
  return folder;
}

function prepareClaim(pod: V1Pod, name: string, context: VolumeContext): string {
  const claim = context.claim(name);
  if (claim === undefined) throw new ConfigError(`persistentvolumeclaim "${name}" not found`);
  const { volumeName } = claim.spec ?? {};
  if (volumeName === undefined || volumeName === '') throw new ConfigError(`persistentvolumeclaim "${name}" is not bound`);
  const folder = join(context.claimFolder, volumeName);
  makeFolder(folder, pod, context);
  return folder;
}

/**
 * Open to everyone inside, as the kubelet makes them; the folders above are closed to everyone outside. What a container made of it
 * stays when the pod comes up again.
 */
function makeFolder(folder: string, pod: V1Pod, { asRoot }: VolumeContext): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  const group = pod.spec?.securityContext?.fsGroup;
  if (asRoot && group !== undefined) chownSync(folder, 0, outsideId(group));
  chmodSync(folder, group === undefined ? 0o777 : 0o2777);
}

interface LimitedVolume {
  readonly name: string;
  readonly folder: string;
  readonly limitBytes: number;
  /** As the pod has it. */
  readonly limit: string;
}

/** The volumes whose limit somebody has to look after. `inMemory`: those that ask for memory have it, and hold theirs by themselves. */
export function limitedVolumes(pod: V1Pod, folders: ReadonlyMap<string, string>, inMemory: boolean): readonly LimitedVolume[] {
  return (pod.spec?.volumes ?? []).flatMap(({ name, emptyDir }) => {
    const { sizeLimit: limit, medium } = emptyDir ?? {};
    const limitBytes = parseQuantity(limit);
    const folder = folders.get(name);
    if (limit === undefined || limitBytes === undefined || limitBytes === 0 || folder === undefined) return [];
    return inMemory && medium === 'Memory' ? [] : [{ name, folder, limitBytes, limit }];
  });
}

/** The volumes that are to be in memory. One without a limit may take what all containers together may. */
export function memoryVolumes(pod: V1Pod, folders: ReadonlyMap<string, string>): readonly MemoryVolume[] {
  const limits = (pod.spec?.containers ?? []).map(({ resources }) => parseQuantity(resources?.limits?.['memory']));
  const together = limits.reduce((sum, limit) => (sum === undefined || limit === undefined ? undefined : sum + limit), 0);
  return (pod.spec?.volumes ?? []).flatMap(({ name, emptyDir }) => {
    const folder = folders.get(name);
    if (emptyDir?.medium !== 'Memory' || folder === undefined) return [];
    const own = parseQuantity(emptyDir.sizeLimit);
    const sizeBytes = own === undefined || (together !== undefined && together < own) ? together : own;
    return [{ folder, sizeBytes, group: pod.spec?.securityContext?.fsGroup }];
  });
}

interface VolumeFile {
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
}

const DEFAULT_MODE = 0o644;

function secretFiles(
  { secretName = '', optional, items, defaultMode }: V1SecretVolumeSource,
  { references }: VolumeContext,
): readonly VolumeFile[] {
  return selectFiles(secretValues(references, secretName, optional), items, defaultMode);
}

function configMapFiles(
  { name = '', optional, items, defaultMode }: V1ConfigMapVolumeSource,
  { references }: VolumeContext,
): readonly VolumeFile[] {
  return selectFiles(configMapValues(references, name, optional), items, defaultMode);
}

function selectFiles(
  values: Readonly<Record<string, Buffer>>,
  items: V1SecretVolumeSource['items'],
  defaultMode = DEFAULT_MODE,
): readonly VolumeFile[] {
  if (items === undefined) return Object.entries(values).map(([path, content]) => ({ path, content, mode: defaultMode }));
  return items.map(({ key, path, mode }) => {
    const content = values[key];
    if (content === undefined) throw new ConfigError(`references non-existent secret key: ${key}`);
    if (path.split('/').includes('..')) throw new ConfigError(`the path ${path} leaves the volume`);
    return { path, content, mode: mode ?? defaultMode };
  });
}

/** The files belong to the user of the pod's first container, so that a mode of 0400 lets that one read them. */
function writeFiles(pod: V1Pod, folder: string, files: readonly VolumeFile[], { asRoot }: VolumeContext): void {
  const [container] = pod.spec?.containers ?? [];
  const user = container === undefined ? { uid: 0, gid: 0 } : resolveUser(pod, container);
  const group = pod.spec?.securityContext?.fsGroup;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  for (const { path, content, mode } of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content, { mode: 0o600 });
    if (asRoot) chownSync(file, outsideId(user.uid), outsideId(group ?? user.gid));
    // As the kubelet does it: whoever is in the group may read.
    chmodSync(file, group === undefined ? mode : mode | ((mode & 0o400) >> 3));
  }
}

/** A container's mounts. Throws `StartError` where one names no volume or leaves it. */
export function resolveMounts(container: V1Container, folders: ReadonlyMap<string, string>, pod: V1Pod): readonly Mount[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, readOnly, subPath }) => {
    const folder = folders.get(name);
    if (folder === undefined || subPath?.split('/').includes('..') === true)
      throw new StartError('CreateContainerError', `failed to prepare subPath for volumeMount "${name}" of container "${container.name}"`);
    const source = subPath === undefined || subPath === '' ? folder : join(folder, subPath);
    if (source !== folder && !existsSync(source)) {
      mkdirSync(source, { recursive: true });
      chmodSync(source, 0o777);
    }
    const isFiles = pod.spec?.volumes?.some((volume) => volume.name === name && (volume.secret ?? volume.configMap)) === true;
    return { source, target: mountPath.length > 1 ? mountPath.replace(/\/+$/, '') : mountPath, readOnly: readOnly === true || isFiles };
  });
}
