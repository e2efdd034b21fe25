/**
 * The volumes that a create asks for, whichever of the two ways it says so: the older system's fields or `volumes`. Pure.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';
import type { CreateSessionRequest } from '../sessions/create-request.ts';
import { parseQuantity } from '../templates/quantities.ts';
import type { VolumeType } from './model.ts';
import { splitMountOptions } from './mount-options.ts';
import { workspacePath } from '../pods/names.ts';
import { bucketPath } from './mount-path.ts';
import { NAMESPACE_BUCKET } from './names.ts';
import { contradictions, repeated } from './request-faults.ts';
import { wantsBucket, wantsPersistent } from './wanted.ts';

/** Where the caller wrote it: errors name these fields. */
export interface VolumeFields {
  readonly name: string;
  readonly size_gb: string;
  readonly storage_class: string;
  readonly mount_path: string;
  readonly read_only: string;
  readonly snapshot_id: string;
  readonly bucket_name: string;
}

/** One mount as it was asked for; what is null was left open. */
export interface VolumeRequest {
  readonly fields: VolumeFields;
  /** Of an existing volume; its type and name are what they are. */
  readonly volume_id: string | null;
  readonly type: VolumeType;
  /** Null: one of the session's own. */
  readonly name: string | null;
  readonly mount_path: string;
  readonly read_only: boolean;
  readonly size_gb: number | null;
  readonly storage_class: string | null;
  readonly shared: boolean;
  readonly snapshot_id: string | null;
  readonly retain: boolean | null;
  /** A bucket of the caller's own. */
  readonly bucket_name: string | null;
  readonly prefix: string | null;
  readonly mount_options: readonly string[];
}

const GIB = 2 ** 30;

const blank = {
  volume_id: null,
  name: null,
  read_only: false,
  size_gb: null,
  storage_class: null,
  shared: false,
  snapshot_id: null,
  retain: null,
  bucket_name: null,
  prefix: null,
  mount_options: [],
} as const;

function fieldsAt(path: string, other: Partial<VolumeFields> = {}): VolumeFields {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  return {
    name: at('name'),
    size_gb: at('size_gb'),
    storage_class: at('storage_class'),
    mount_path: at('mount_path'),
    read_only: at('read_only'),
    snapshot_id: at('snapshot_id'),
    bucket_name: at('bucket_name'),
    ...other,
  };
}

/** For one volume on its own, `POST /v1/storage`: fields are at the top of the body, and nothing is mounted. */
export function singleVolume(type: VolumeType, given: Partial<VolumeRequest> & { readonly name: string }): VolumeRequest {
  return { ...blank, type, mount_path: workspacePath, ...given, fields: fieldsAt('') };
}

/**
 * `workspaceVolume` is the name of the volume that has the workspace where the request names none: a session of a project has one even
 * if nothing is asked for. Throws `AppError` `validation_failed`.
 */
export function requestedVolumes(request: CreateSessionRequest, workspaceVolume?: string): readonly VolumeRequest[] {
  const requests = [
    ...persistentVolume(request, workspaceVolume),
    ...bucketVolume(request),
    ...(request.volumes ?? []).map((volume, index) => listedVolume(volume, `volumes[${String(index)}]`)),
  ];
  const errors = [...contradictions(request), ...repeated(requests)];
  if (errors.length > 0) throw new AppError('validation_failed', 'What the session asks to have mounted contradicts itself.', { errors });
  return requests;
}

/** Whether nothing in the request says what is at `/workspace`. */
function leavesWorkspaceOpen(request: CreateSessionRequest): boolean {
  const mounted = request.volumes?.some(({ mount_path: path }) => path === workspacePath) === true;
  return !mounted && request.storage_config?.storage_type === undefined;
}

function persistentVolume(request: CreateSessionRequest, workspaceVolume: string | undefined): readonly VolumeRequest[] {
  const implied = workspaceVolume !== undefined && leavesWorkspaceOpen(request);
  if (!wantsPersistent(request) && !implied) return [];
  const { storage_config: config = {} } = request;
  // Beside a bucket that the storage type asks for, its mount path is the bucket's.
  const own = config.storage_type !== 'gcs_fuse';
  const size = config.pvc_size === undefined ? request.persistent_storage_size_gb : parseQuantity(config.pvc_size) / GIB;
  return [
    {
      ...blank,
      type: 'persistent_volume',
      name: config.pvc_name ?? workspaceVolume ?? null,
      mount_path: (own ? config.mount_path : undefined) ?? workspacePath,
      size_gb: size ?? null,
      storage_class: config.storage_class ?? null,
      fields: fieldsAt('storage_config', {
        name: 'storage_config.pvc_name',
        size_gb: config.pvc_size === undefined ? 'persistent_storage_size_gb' : 'storage_config.pvc_size',
      }),
    },
  ];
}

/** Alone it is the workspace; beside a volume that has it, it is at `/bucket`. */
function bucketVolume(request: CreateSessionRequest): readonly VolumeRequest[] {
  if (!wantsBucket(request)) return [];
  const { storage_config: config = {} } = request;
  const own = config.storage_type === 'gcs_fuse' || !wantsPersistent(request);
  return [
    {
      ...blank,
      type: 'gcs_fuse',
      name: config.bucket_name ?? NAMESPACE_BUCKET,
      mount_path: (own ? config.mount_path : undefined) ?? (wantsPersistent(request) ? bucketPath : workspacePath),
      size_gb: request.bucket_size_gb ?? null,
      bucket_name: config.bucket_name ?? null,
      prefix: trimmedPrefix(config.gcs_prefix),
      mount_options: splitMountOptions(config.gcs_mount_options ?? []),
      fields: fieldsAt('storage_config', { name: 'storage_config.bucket_name', size_gb: 'bucket_size_gb' }),
    },
  ];
}

function trimmedPrefix(prefix: string | undefined): string | null {
  return prefix?.replace(/\/+$/, '') ?? null;
}

function listedVolume(volume: NonNullable<CreateSessionRequest['volumes']>[number], path: string): VolumeRequest {
  const type = volume.type ?? (volume.bucket_name === undefined ? 'persistent_volume' : 'gcs_fuse');
  const isBucket = type === 'gcs_fuse';
  return {
    type,
    volume_id: volume.volume_id ?? null,
    name: volume.name ?? (isBucket ? (volume.bucket_name ?? NAMESPACE_BUCKET) : null),
    mount_path: volume.mount_path,
    read_only: volume.read_only ?? false,
    size_gb: volume.size_gb ?? null,
    storage_class: volume.storage_class ?? null,
    shared: volume.shared ?? false,
    snapshot_id: volume.snapshot_id ?? null,
    retain: volume.retain ?? null,
    bucket_name: volume.bucket_name ?? null,
    prefix: trimmedPrefix(volume.prefix),
    mount_options: splitMountOptions(volume.mount_options ?? []),
    fields: fieldsAt(path, volume.volume_id === undefined ? {} : { name: `${path}.volume_id` }),
  };
}
