import { describe, expect, it } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import { createSessionSchema, type CreateSessionRequest } from '../../../shared/sessions/create-request.ts';
import { resolveSession } from '../../../shared/sessions/resolve.ts';
import { builtInTemplates, type Template } from '../../../shared/templates/catalog.ts';

function resolve(body: unknown) {
  return resolveSession(createSessionSchema.parse(body));
}

function refusal(request: CreateSessionRequest): AppError {
  try {
    resolveSession(request);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('resolveSession', () => {
  it('fills in the whole of a session that asks for nothing', () => {
    expect(resolve({})).toEqual({
      template: 'python',
      resourceTier: 'small',
      ttlMinutes: 60,
      spec: {
        image: 'python:3.11-slim',
        command: null,
        resources: { cpu_requests: '250m', memory_requests: '512Mi', cpu: '500m', memory: '1Gi' },
        env_names: [],
        storage_type: 'ephemeral',
        workspace_gb: 10,
        volumes: [],
        ports: [],
        before_stop: null,
        grace_period_seconds: 10,
        start_deadline_seconds: 600,
        egress: 'web',
      },
      volumes: [],
      idleTimeoutMinutes: null,
      env: {},
      warnings: [],
    });
  });

  const images: readonly (readonly [object, string])[] = [
    [{ image: 'ghcr.io/x/y:1' }, 'ghcr.io/x/y:1'],
    [{ image_spec: { image_url: 'ghcr.io/x/y', image_tag: '2' } }, 'ghcr.io/x/y:2'],
    [{ image_spec: { image_url: 'ghcr.io/x/y:3', image_tag: '2' } }, 'ghcr.io/x/y:3'],
    [{ image_spec: { image_url: 'localhost:5000/y', image_tag: '2' } }, 'localhost:5000/y:2'],
    [{ image_spec: { image_type: 'python' } }, 'python:3.11-slim'],
    [{ template: 'node' }, 'node:24-slim'],
  ];
  for (const [body, image] of images) {
    it(`takes ${image} from ${JSON.stringify(body)}`, () => {
      expect(resolve(body).spec.image).toBe(image);
    });
  }

  it('lowers the request to a limit below it, and raises the limit to a request above it', () => {
    expect(resolve({ resource_limits: { memory: '256Mi' } }).spec.resources).toMatchObject({ memory: '256Mi', memory_requests: '256Mi' });
    expect(resolve({ resource_limits: { cpu_requests: '3' } }).spec.resources).toMatchObject({ cpu: '3', cpu_requests: '3' });
  });

  it('refuses a request above the limit beside it', () => {
    const error = refusal({ resource_limits: { cpu: '500m', cpu_requests: '1' } });
    expect(error.code).toBe('validation_failed');
    expect(error.errors).toEqual([{ path: 'resource_limits.cpu_requests', message: 'must not be above the limit of 500m' }]);
  });

  it('runs a command given as text by a shell, and one given as a list as it is', () => {
    expect(resolve({ command: 'python app.py' }).spec.command).toEqual(['sh', '-c', 'python app.py']);
    expect(resolve({ command: ['python', 'app.py'] }).spec.command).toEqual(['python', 'app.py']);
  });

  it('keeps the values of env out of the specification, and warns of names that Berth sets', () => {
    const resolved = resolve({ env: { TOKEN: 's3cret', HOME: '/root', A: '1' } });
    expect(resolved.spec.env_names).toEqual(['A', 'TOKEN']);
    expect(resolved.env).toEqual({ TOKEN: 's3cret', A: '1' });
    expect(JSON.stringify(resolved.spec)).not.toContain('s3cret');
    expect(resolved.warnings).toEqual(['env.HOME is set by Berth; your value has no effect.']);
  });

  it('accepts what older clients send without a meaning, and says so', () => {
    expect(resolve({ needs_ssh: false, storage: 'x' }).warnings).toEqual([
      'storage is accepted for older clients and changes nothing.',
      'needs_ssh is accepted for older clients and changes nothing.',
    ]);
  });

  it('names an unknown template', () => {
    expect(refusal({ template: 'cobol' })).toMatchObject({ code: 'unknown_template', errors: [{ path: 'template' }] });
  });

  it('takes ports once each, an idle timeout, and accelerators, one where no number is given', () => {
    const resolved = resolve({ ports: [8000, 3000, 8000], idle_timeout_minutes: 5, gpu_spec: { gpu_type: 'nvidia-l4' } });
    expect(resolved.spec).toMatchObject({ ports: [8000, 3000], gpu: { type: 'nvidia-l4', count: 1 } });
    expect(resolved.idleTimeoutMinutes).toBe(5);
  });

  const workspaces: readonly (readonly [object, object])[] = [
    [
      { request_persistent_storage: true, persistent_storage_size_gb: 20 },
      { storage_type: 'persistent_volume', workspace_gb: 20 },
    ],
    [{ request_bucket: true }, { storage_type: 'gcs_fuse', workspace_gb: 10 }],
    [{ volumes: [{ name: 'data', mount_path: '/data', size_gb: 50 }] }, { storage_type: 'ephemeral', workspace_gb: 10 }],
  ];
  for (const [body, expected] of workspaces) {
    it(`says of ${JSON.stringify(body)} what is at the workspace`, () => {
      expect(resolve(body).spec).toMatchObject(expected);
    });
  }

  it('gives a project the volume of its name, and takes the ids in its body as they are', () => {
    const request = createSessionSchema.parse({ project_id: 'p' });
    const { volumes, spec } = resolveSession(request, { workspaceVolume: 'project-1' });
    expect(spec.storage_type).toBe('persistent_volume');
    expect(volumes).toMatchObject([{ name: 'project-1', mount_path: '/workspace' }]);
  });

  for (const request of [{ project_id: 'p' }, { conversation_id: 'c' }]) {
    it(`refuses ${JSON.stringify(request)}, which has a route of its own`, () => {
      expect(refusal(request)).toMatchObject({ code: 'validation_failed', errors: [{ path: Object.keys(request)[0] }] });
    });
  }

  it('takes a template that is not built in', () => {
    const template = { ...builtInTemplates[0], id: 'own', image: 'ghcr.io/x/own:1' } as Template;
    const resolved = resolveSession({ template: 'own' }, { template });
    expect([resolved.template, resolved.spec.image]).toEqual(['own', 'ghcr.io/x/own:1']);
  });
});
