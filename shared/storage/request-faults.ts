/**
 * What is wrong with the volumes that a create asks for, taken together. Pure.
 *
 * @module
 */
import type { FieldError } from '../errors/app-error.ts';
import { bounds, type CreateSessionRequest } from '../sessions/create-request.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { workspacePath } from '../pods/names.ts';
import type { VolumeRequest } from './requests.ts';
import { wantsBucket, wantsPersistent } from './wanted.ts';

const GIB = 2 ** 30;
const NEEDS_CLAIM = 'needs request_persistent_storage or storage_type persistent_volume';
const NEEDS_BUCKET = 'needs request_bucket or storage_type gcs_fuse';
const FOR_BUCKETS = 'is for volumes of type gcs_fuse';
const FOR_CLAIMS = 'is for volumes of type persistent_volume';

/** Fields that mean nothing without another one are mistakes, never left unsaid. */
export function contradictions(request: CreateSessionRequest): readonly FieldError[] {
  const listed = (request.volumes ?? []).flatMap((volume, index) => listedFaults(volume, `volumes[${String(index)}]`));
  return [...strayFields(request), ...typeFaults(request), ...sizeFaults(request), ...listed];
}

function strayFields(request: CreateSessionRequest): readonly FieldError[] {
  const { storage_config: config = {} } = request;
  const claimFields = (['pvc_name', 'pvc_size', 'storage_class'] as const).filter((name) => config[name] !== undefined);
  const bucketFields = (['bucket_name', 'gcs_prefix', 'gcs_mount_options'] as const).filter((name) => config[name] !== undefined);
  return [
    ...(wantsPersistent(request) ? [] : claimFields.map((name) => ({ path: `storage_config.${name}`, message: NEEDS_CLAIM }))),
    ...(wantsBucket(request) ? [] : bucketFields.map((name) => ({ path: `storage_config.${name}`, message: NEEDS_BUCKET }))),
  ];
}

function typeFaults(request: CreateSessionRequest): readonly FieldError[] {
  const { storage_type: type, mount_path: path = workspacePath } = request.storage_config ?? {};
  const faults: FieldError[] = [];
  if (path !== workspacePath && !wantsPersistent(request) && !wantsBucket(request)) {
    const message = 'the ephemeral workspace is at /workspace; leave it out or ask for a volume';
    faults.push({ path: 'storage_config.mount_path', message });
  }
  if (type === 'ephemeral' && (request.request_persistent_storage === true || request.request_bucket === true))
    faults.push({ path: 'storage_config.storage_type', message: 'is ephemeral, while a volume or a bucket is asked for' });
  return faults;
}

/** The older system's field is a quantity: its bound is no part of its form. */
function sizeFaults({ storage_config: { pvc_size: size } = {} }: CreateSessionRequest): readonly FieldError[] {
  if (size === undefined || parseQuantity(size) <= bounds.volumeGb * GIB) return [];
  return [{ path: 'storage_config.pvc_size', message: `at most ${String(bounds.volumeGb)}Gi` }];
}

function listedFaults(volume: NonNullable<CreateSessionRequest['volumes']>[number], path: string): readonly FieldError[] {
  if (volume.type !== 'gcs_fuse' && volume.bucket_name === undefined) {
    const stray = (['prefix', 'mount_options'] as const).filter((name) => volume[name] !== undefined && volume.volume_id === undefined);
    return stray.map((name) => ({ path: `${path}.${name}`, message: FOR_BUCKETS }));
  }
  const claimOnly = (['storage_class', 'snapshot_id'] as const).filter((name) => volume[name] !== undefined);
  const wrongType = volume.type === 'persistent_volume' ? [{ path: `${path}.bucket_name`, message: FOR_BUCKETS }] : [];
  return [...wrongType, ...claimOnly.map((name) => ({ path: `${path}.${name}`, message: FOR_CLAIMS }))];
}

/** Two mounts at one place, or one volume mounted twice. */
export function repeated(requests: readonly VolumeRequest[]): readonly FieldError[] {
  const paths = new Set<string>();
  const names = new Set<string>();
  return requests.flatMap(({ fields, mount_path: path, type, name, volume_id: id, prefix }) => {
    const identity = id ?? (name === null ? undefined : `${type}/${name}/${prefix ?? ''}`);
    const errors: FieldError[] = [];
    if (paths.has(path)) errors.push({ path: fields.mount_path, message: `something else is mounted at ${path} already` });
    if (identity !== undefined && names.has(identity)) errors.push({ path: fields.name, message: 'is mounted already' });
    paths.add(path);
    if (identity !== undefined) names.add(identity);
    return errors;
  });
}
