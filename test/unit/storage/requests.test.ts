import { describe, expect, it } from 'vitest';
import { AppError, type FieldError } from '../../../shared/errors/app-error.ts';
import { createSessionSchema } from '../../../shared/sessions/create-request.ts';
import { requestedVolumes } from '../../../shared/storage/requests.ts';

function requested(body: unknown, workspaceVolume?: string) {
  return requestedVolumes(createSessionSchema.parse(body), workspaceVolume);
}

function refusal(body: unknown): readonly FieldError[] {
  try {
    requested(body);
  } catch (error) {
    if (error instanceof AppError) return error.errors;
    throw error;
  }
  throw new Error('it was not refused');
}

const mounts = (body: unknown, workspaceVolume?: string) =>
  requested(body, workspaceVolume).map(({ type, name, mount_path: path, size_gb: size }) => ({ type, name, path, size }));

describe('the volumes that a create asks for', () => {
  const cases: readonly (readonly [string, object, object[]])[] = [
    ['none', {}, []],
    [
      'persistent storage at the workspace',
      { request_persistent_storage: true },
      [{ type: 'persistent_volume', name: null, path: '/workspace', size: null }],
    ],
    [
      'one of a size and a name, as the older system writes it',
      { storage_config: { storage_type: 'persistent_volume', pvc_name: 'data', pvc_size: '20Gi', mount_path: '/data' } },
      [{ type: 'persistent_volume', name: 'data', path: '/data', size: 20 }],
    ],
    [
      'a bucket alone, which is the workspace',
      { request_bucket: true, bucket_size_gb: 5 },
      [{ type: 'gcs_fuse', name: 'bucket', path: '/workspace', size: 5 }],
    ],
    [
      'both: the volume is the workspace, the bucket beside it',
      { request_persistent_storage: true, persistent_storage_size_gb: 30, request_bucket: true },
      [
        { type: 'persistent_volume', name: null, path: '/workspace', size: 30 },
        { type: 'gcs_fuse', name: 'bucket', path: '/bucket', size: null },
      ],
    ],
    [
      'a bucket of the caller beside a volume, at a path of its own',
      { request_persistent_storage: true, storage_config: { storage_type: 'gcs_fuse', bucket_name: 'theirs', mount_path: '/theirs' } },
      [
        { type: 'persistent_volume', name: null, path: '/workspace', size: null },
        { type: 'gcs_fuse', name: 'theirs', path: '/theirs', size: null },
      ],
    ],
    [
      'a list',
      { volumes: [{ name: 'a', mount_path: '/a' }, { mount_path: '/b' }, { type: 'gcs_fuse', mount_path: '/c', prefix: 'x/' }] },
      [
        { type: 'persistent_volume', name: 'a', path: '/a', size: null },
        { type: 'persistent_volume', name: null, path: '/b', size: null },
        { type: 'gcs_fuse', name: 'bucket', path: '/c', size: null },
      ],
    ],
  ];
  for (const [title, body, expected] of cases) {
    it(`are ${title}`, () => {
      expect(mounts(body)).toEqual(expected);
    });
  }

  it('are, for a project, a volume of its name at the workspace, unless the request says what is there', () => {
    const own = [{ type: 'persistent_volume', name: 'project-1', path: '/workspace', size: null }];
    expect(mounts({}, 'project-1')).toEqual(own);
    expect(mounts({ request_persistent_storage: true }, 'project-1')).toEqual(own);
    expect(mounts({ storage_config: { storage_type: 'ephemeral' } }, 'project-1')).toEqual([]);
    expect(mounts({ volumes: [{ name: 'mine', mount_path: '/workspace' }] }, 'project-1')).toEqual([
      { type: 'persistent_volume', name: 'mine', path: '/workspace', size: null },
    ]);
    expect(mounts({ volumes: [{ name: 'mine', mount_path: '/data' }] }, 'project-1').map(({ name }) => name)).toEqual([
      'project-1',
      'mine',
    ]);
  });

  const refused: readonly (readonly [object, readonly string[]])[] = [
    [{ storage_config: { pvc_name: 'data' } }, ['storage_config.pvc_name']],
    [{ storage_config: { bucket_name: 'data' } }, ['storage_config.bucket_name']],
    [{ storage_config: { mount_path: '/data' } }, ['storage_config.mount_path']],
    [{ storage_config: { storage_type: 'ephemeral' }, request_bucket: true }, ['storage_config.storage_type']],
    [{ volumes: [{ mount_path: '/a' }, { mount_path: '/a' }] }, ['volumes[1].mount_path']],
    [{ request_persistent_storage: true, volumes: [{ name: 'a', mount_path: '/workspace' }] }, ['volumes[0].mount_path']],
    [
      {
        volumes: [
          { name: 'a', mount_path: '/a' },
          { name: 'a', mount_path: '/b' },
        ],
      },
      ['volumes[1].name'],
    ],
    [{ request_persistent_storage: true, storage_config: { pvc_size: '65537Gi' } }, ['storage_config.pvc_size']],
    [{ volumes: [{ name: 'a', mount_path: '/a', prefix: 'x' }] }, ['volumes[0].prefix']],
    [{ volumes: [{ type: 'gcs_fuse', mount_path: '/a', storage_class: 'x' }] }, ['volumes[0].storage_class']],
    [{ volumes: [{ type: 'persistent_volume', bucket_name: 'xyz', mount_path: '/a' }] }, ['volumes[0].bucket_name']],
  ];
  for (const [body, paths] of refused) {
    it(`are refused by the field that is wrong: ${JSON.stringify(body)}`, () => {
      expect(refusal(body).map(({ path }) => path)).toEqual(paths);
    });
  }

  it('may be one bucket in two places, below different prefixes', () => {
    const body = { volumes: ['a', 'b'].map((prefix) => ({ type: 'gcs_fuse', prefix, mount_path: `/${prefix}` })) };
    expect(requested(body).map(({ prefix }) => prefix)).toEqual(['a', 'b']);
  });
});
