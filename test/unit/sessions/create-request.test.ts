import { describe, expect, it } from 'vitest';
import { createSessionSchema } from '../../../shared/sessions/create-request.ts';

/** Paths of what is wrong with the body. */
function wrong(body: unknown): string[] {
  const parsed = createSessionSchema.safeParse(body);
  if (parsed.success) return [];
  return parsed.error.issues
    .flatMap((issue) => (issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys] : [issue.path.join('.')]))
    .map(String);
}

describe('the body of a create', () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['an unknown field', { tempalte: 'python' }, 'tempalte'],
    ['an unknown field inside', { storage_config: { mountpath: '/x' } }, 'mountpath'],
    ['another provider', { provider: 'aws' }, 'provider'],
    ['a namespace in capitals', { namespace: 'Team' }, 'namespace'],
    ['a namespace with a dash at its end', { namespace: 'team-' }, 'namespace'],
    ['a namespace of 41 characters', { namespace: 'a'.repeat(41) }, 'namespace'],
    ['a namespace that users have by themselves', { namespace: 'u-alice' }, 'namespace'],
    ['a namespace in unicode', { namespace: 'tëam' }, 'namespace'],
    ['a user with a slash', { user: 'a/b' }, 'user'],
    ['a life of no minutes', { ttl_minutes: 0 }, 'ttl_minutes'],
    ['a life in text', { ttl_minutes: '60' }, 'ttl_minutes'],
    ['half a minute', { ttl_minutes: 0.5 }, 'ttl_minutes'],
    ['another tier', { resource_tier: 'huge' }, 'resource_tier'],
    ['no quantity of memory', { resource_limits: { memory: '1Gib' } }, 'resource_limits.memory'],
    ['a negative quantity', { resource_limits: { cpu: '-1' } }, 'resource_limits.cpu'],
    ['no processor at all', { resource_limits: { cpu: '0' } }, 'resource_limits.cpu'],
    ['an image with a blank', { image: 'python 3' }, 'image'],
    ['an image with a flag', { image: '--privileged' }, 'image'],
    ['an env name with a dash', { env: { 'A-B': '1' } }, 'env.A-B'],
    ['an env value that is no text', { env: { A: 1 } }, 'env.A'],
    ['an env value with a NUL', { env: { A: '\0' } }, 'env'],
    ['more than 100 env names', { env: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`N${index}`, ''])) }, 'env'],
    ['more than 32 KiB of env', { env: { A: 'x'.repeat(32 * 1024) } }, 'env'],
    ['a name with a newline', { name: 'a\nb' }, 'name'],
    ['33 labels', { labels: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`l${index}`, ''])) }, 'labels'],
    ['an empty command', { command: '' }, 'command'],
    ['a command with a NUL', { command: ['sh', 'a\0b'] }, 'command'],
    ['a command of more than 96 KiB together', { command: Array.from({ length: 10 }, () => 'ü'.repeat(6000)) }, 'command'],
    ['more memory than there is', { resource_limits: { memory: '9999999999999999Ti' } }, 'resource_limits.memory'],
    ['a mount path outside', { storage_config: { mount_path: '/proc/1' } }, 'storage_config.mount_path'],
    ['a mount path with dots', { volumes: [{ mount_path: '/a/../etc' }] }, 'volumes.0.mount_path'],
    ['a volume without a place', { volumes: [{ name: 'data' }] }, 'volumes.0.mount_path'],
    ['a volume by its name and its id', { volumes: [{ name: 'a', volume_id: '0'.repeat(32), mount_path: '/a' }] }, 'volumes.0.volume_id'],
    ['an unknown field of a volume', { volumes: [{ mount_path: '/a', host_path: '/' }] }, 'host_path'],
    ['a volume of another type', { volumes: [{ mount_path: '/a', type: 'host_path' }] }, 'volumes.0.type'],
    ['a volume of no size', { volumes: [{ mount_path: '/a', size_gb: 0 }] }, 'volumes.0.size_gb'],
    ['nine volumes', { volumes: Array.from({ length: 9 }, (_, index) => ({ mount_path: `/v${index}` })) }, 'volumes'],
    ['a mount option that names a file', { storage_config: { gcs_mount_options: 'key-file=/x' } }, 'storage_config.gcs_mount_options'],
    ['a prefix that leaves the bucket', { storage_config: { gcs_prefix: 'a/../../b' } }, 'storage_config.gcs_prefix'],
    ['a prefix that is another option', { storage_config: { gcs_prefix: 'a,uid=0' } }, 'storage_config.gcs_prefix'],
    ['a bucket name with a path', { storage_config: { bucket_name: '../x' } }, 'storage_config.bucket_name'],
    ['a claim name in capitals', { storage_config: { pvc_name: 'Data' } }, 'storage_config.pvc_name'],
    ['port 0', { ports: [0] }, 'ports.0'],
    ['the helper’s port', { ports: [7171] }, 'ports.0'],
    ['33 ports', { ports: Array.from({ length: 33 }, (_, index) => index + 1) }, 'ports'],
    ['half an accelerator', { gpu_spec: { gpu_count: 0.5 } }, 'gpu_spec.gpu_count'],
    ['an idle timeout of no time', { idle_timeout_minutes: 0 }, 'idle_timeout_minutes'],
    ['a list instead of an object', [], ''],
  ];
  for (const [what, body, path] of refused) {
    it(`refuses ${what}`, () => {
      expect(wrong(body)).toContain(path);
    });
  }

  it('takes every field of the older system', () => {
    const body = {
      provider: 'gke',
      template: 'python',
      namespace: 'team',
      user: 'alice@example.com',
      workspace_id: 'ws 1',
      ttl_minutes: 60,
      resource_tier: 'small',
      image_spec: { image_type: 'custom', image_url: 'python', image_tag: '3.12' },
      gpu_spec: { gpu_type: 'nvidia-l4', gpu_count: 1 },
      env: { A: '1' },
      request_persistent_storage: false,
      persistent_storage_size_gb: 10,
      storage_config: { storage_type: 'ephemeral', mount_path: '/workspace' },
      needs_ssh: false,
      long_lived: true,
      expected_duration_minutes: 5,
    };
    expect(wrong(body)).toEqual([]);
  });

  for (const image of ['python', 'python:3.11-slim', 'ghcr.io/a-b/c_d/e.f:v1.2', 'localhost:5000/x', `x@sha256:${'a'.repeat(64)}`]) {
    it(`takes the image ${image}`, () => {
      expect(wrong({ image })).toEqual([]);
    });
  }
});
