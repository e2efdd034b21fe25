/**
 * A pod's volumes as folders of the machine.
 *
 * @module
 */
import { chmodSync, chownSync, existsSync, fchmodSync, fchownSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type {
  V1ConfigMapVolumeSource,
  V1Container,
  V1CSIVolumeSource,
  V1PersistentVolumeClaim,
  V1Pod,
  V1SecretVolumeSource,
  V1Volume,
} from '@kubernetes/client-node';
import { parseQuantity } from '../quantities.ts';
import { outsideId } from '../runtime/identity.ts';
import { StartError } from '../runtime/port.ts';
import type { BoundFolder, MemoryVolume, Mount } from '../runtime/port.ts';
import { configMapValues, ConfigError, resolveUser, secretValues } from './container-config.ts';
import type { References } from './container-config.ts';
import { LeavesFolderError, makeInnerFolder } from './inner-folder.ts';

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
  /** Where the buckets of this machine are; absent: it has none. */
  readonly bucketFolder?: string | undefined;
  claim(name: string): V1PersistentVolumeClaim | undefined;
  /** Whether the volume is to be a copy of a snapshot, so that an empty folder in its place would be wrong. */
  isCopy(volumeName: string): boolean;
  /** Files can be given to the pod's user. */
  readonly asRoot: boolean;
  /** Folders can be mounted for this pod alone: it has a sandbox. */
  readonly binds: boolean;
}

export interface PreparedVolumes {
  /** By the name of the volume. */
  readonly folders: ReadonlyMap<string, string>;
  /** What has to be mounted on some of them before a container begins. */
  readonly bound: readonly BoundFolder[];
}

/** Makes what is missing; repeated at every start of the pod. Throws `VolumeError`. */
export function prepareVolumes(pod: V1Pod, context: VolumeContext): PreparedVolumes {
  const folders = new Map<string, string>();
  const bound: BoundFolder[] = [];
  for (const volume of pod.spec?.volumes ?? []) {
    try {
      const { folder, source } = prepareVolume(pod, volume, context);
      folders.set(volume.name, folder);
      if (source !== undefined) bound.push({ kind: 'folder', folder, source });
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof LeavesFolderError)) throw error;
      throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`);
    }
  }
  return { folders, bound };
}

/** `source`: what is to be mounted on the folder. */
interface Prepared {
  readonly folder: string;
  readonly source?: string;
}

function prepareVolume(pod: V1Pod, volume: V1Volume, context: VolumeContext): Prepared {
  const folder = join(context.folder, volume.name);
  if (volume.emptyDir) makeFolder(folder, pod, context);
  else if (volume.persistentVolumeClaim) return { folder: prepareClaim(pod, volume.persistentVolumeClaim.claimName, context) };
  else if (volume.csi) return prepareBucket(pod, volume.csi, folder, context);
  else if (volume.secret) writeFiles(pod, folder, secretFiles(volume.secret, context), context);
  else if (volume.configMap) writeFiles(pod, folder, configMapFiles(volume.configMap, context), context);
  else
    throw new ConfigError(`the embedded cluster has no volumes of type ${Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'}`);
  return { folder };
}

function prepareClaim(pod: V1Pod, name: string, context: VolumeContext): string {
  const claim = context.claim(name);
  if (claim === undefined) throw new ConfigError(`persistentvolumeclaim "${name}" not found`);
  const { volumeName } = claim.spec ?? {};
  if (volumeName === undefined || volumeName === '') throw new ConfigError(`persistentvolumeclaim "${name}" is not bound`);
  const folder = join(context.claimFolder, volumeName);
  if (context.isCopy(volumeName) && !existsSync(folder))
    throw new ConfigError(`the snapshot is still being copied to volume ${volumeName}`);
  makeFolder(folder, pod, context);
  return folder;
}

const BUCKET_DRIVER = 'gcsfuse.csi.storage.gke.io';

/**
 * Cloud Storage's place is taken by a folder; what the real driver asks for is asked for here as well. Whoever has the bucket may make links
 * in it: what lies below a prefix is mounted where the pod alone sees it, from the folder that was found to be no link.
 */
function prepareBucket(pod: V1Pod, { driver, volumeAttributes = {} }: V1CSIVolumeSource, place: string, context: VolumeContext): Prepared {
  if (driver !== BUCKET_DRIVER) throw new ConfigError(`driver name ${driver} not found in the list of registered CSI drivers`);
  if (pod.metadata?.annotations?.['gke-gcsfuse/volumes'] !== 'true')
    throw new ConfigError('failed to find the sidecar container in Pod spec');
  const { bucketName = '', mountOptions = '' } = volumeAttributes;
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(bucketName)) throw new ConfigError(`invalid bucket name "${bucketName}"`);
  const bucket = join(context.bucketFolder ?? '', bucketName);
  if (context.bucketFolder === undefined || !existsSync(bucket)) throw new ConfigError(`bucket ${bucketName} not found`);
  const prefix =
    mountOptions
      .split(',')
      .find((option) => option.startsWith('only-dir='))
      ?.slice('only-dir='.length) ?? '';
  const source = makeInnerFolder(bucket, prefix, (descriptor) => {
    const { owner, mode } = openness(pod, context);
    if (owner !== undefined) fchownSync(descriptor, 0, owner);
    fchmodSync(descriptor, mode);
  });
  if (!context.binds || source === realpathSync(bucket)) return { folder: source };
  makeFolder(place, pod, context);
  return { folder: place, source };
}

/**
 * Open to everyone inside, as the kubelet makes them; the folders above are closed to everyone outside. What a container made of it
 * stays when the pod comes up again.
 */
function makeFolder(folder: string, pod: V1Pod, context: VolumeContext): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  const { owner, mode } = openness(pod, context);
  if (owner !== undefined) chownSync(folder, 0, owner);
  chmodSync(folder, mode);
}

/** `owner`: the group that it belongs to. */
function openness(pod: V1Pod, { asRoot }: VolumeContext): { readonly owner: number | undefined; readonly mode: number } {
  const group = pod.spec?.securityContext?.fsGroup;
  return { owner: asRoot && group !== undefined ? outsideId(group) : undefined, mode: group === undefined ? 0o777 : 0o2777 };
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
    return [{ kind: 'memory', folder, sizeBytes, group: pod.spec?.securityContext?.fsGroup }];
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
    const isFiles = pod.spec?.volumes?.some((volume) => volume.name === name && (volume.secret ?? volume.configMap)) === true;
    const source = folder === undefined ? undefined : innerSource(folder, subPath ?? '', isFiles);
    if (source === undefined)
      throw new StartError('CreateContainerError', `failed to prepare subPath for volumeMount "${name}" of container "${container.name}"`);
    return { source, target: mountPath.length > 1 ? mountPath.replace(/\/+$/, '') : mountPath, readOnly: readOnly === true || isFiles };
  });
}

/** `undefined`: the path leaves the volume. Of files that the node has written one alone may be mounted, elsewhere folders. */
function innerSource(folder: string, subPath: string, isFiles: boolean): string | undefined {
  if (subPath === '') return folder;
  if (isFiles) return subPath.split('/').includes('..') ? undefined : join(folder, subPath);
  try {
    return makeInnerFolder(folder, subPath, (descriptor) => fchmodSync(descriptor, 0o777));
  } catch (error) {
    if (error instanceof LeavesFolderError) return undefined;
    throw error;
  }
}
