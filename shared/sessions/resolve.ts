/**
 * From what a caller asked for to the whole of what will be: template, tier, image, resources, storage, with every default filled in.
 * Pure.
 *
 * @module
 */
import { AppError, type FieldError } from '../errors/app-error.ts';
import { defaultTemplateId, findTemplate, tierResources, type Template } from '../templates/catalog.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { bounds, type CreateSessionRequest } from './create-request.ts';
import type { ResourceSpec, SessionSpec } from './model.ts';

export interface ResolvedSession {
  readonly template: string;
  readonly resourceTier: string;
  readonly ttlMinutes: number;
  /** The hard cap of the pod's life comes with admission, from the owner's entitlements. */
  readonly spec: Omit<SessionSpec, 'active_deadline_seconds'>;
  /** Values go into the session's Kubernetes Secret and nowhere else. */
  readonly env: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

const WORKSPACE_GB = 10;

/** Set by Berth in every pod; a caller's own values of these names have no effect. */
export const reservedEnvNames = ['SESSION_ID', 'WORKSPACE_ID', 'NAMESPACE', 'USER', 'USER_ID', 'HOME', 'BUCKET_NAME'] as const;

/** Fields of the older system that change nothing here. */
const ignoredFields = ['storage', 'needs_ssh', 'long_lived', 'expected_duration_minutes'] as const;

/** Fields that are part of the API and not built yet: refused, never half true. */
function refuseUnbuilt(request: CreateSessionRequest): void {
  const storage = request.storage_config?.storage_type;
  const unbuilt: readonly (readonly [string, boolean])[] = [
    ['request_persistent_storage', request.request_persistent_storage === true],
    ['request_bucket', request.request_bucket === true],
    ['storage_config.storage_type', storage !== undefined && storage !== 'ephemeral'],
    ['gpu_spec', request.gpu_spec !== undefined],
    ['ports', (request.ports ?? []).length > 0],
    ['volumes', (request.volumes ?? []).length > 0],
    ['project_id', request.project_id !== undefined],
    ['conversation_id', request.conversation_id !== undefined],
    ['idle_timeout_minutes', request.idle_timeout_minutes !== undefined],
    ['preserve_data', request.preserve_data === true],
  ];
  const asked = unbuilt.filter(([, present]) => present).map(([path]) => path);
  if (asked.length === 0) return;
  throw new AppError('not_implemented', `Not built yet: ${asked.join(', ')}. Nothing was created.`, {
    errors: asked.map((path) => ({ path, message: 'not built yet; leave it out' })),
  });
}

function resolveImage(request: CreateSessionRequest, template: Template): string {
  if (request.image !== undefined) return request.image;
  const { image_url: url, image_tag: tag } = request.image_spec ?? {};
  if (url === undefined) return template.image;
  const tagged = /[:@][^/]*$/.test(url);
  return tag === undefined || tagged ? url : `${url}:${tag}`;
}

/** A limit alone sets the request too where that would be above it; a request alone raises the limit to it. */
function resolveResources(base: ResourceSpec, asked: CreateSessionRequest['resource_limits']): ResourceSpec {
  if (asked === undefined) return base;
  const pick = (limit: string | undefined, request: string | undefined, baseLimit: string, baseRequest: string) => {
    const chosenLimit = limit ?? (request !== undefined && parseQuantity(request) > parseQuantity(baseLimit) ? request : baseLimit);
    const chosenRequest = request ?? (parseQuantity(baseRequest) > parseQuantity(chosenLimit) ? chosenLimit : baseRequest);
    return { limit: chosenLimit, request: chosenRequest };
  };
  const cpu = pick(asked.cpu, asked.cpu_requests, base.cpu, base.cpu_requests);
  const memory = pick(asked.memory, asked.memory_requests, base.memory, base.memory_requests);
  return { cpu: cpu.limit, cpu_requests: cpu.request, memory: memory.limit, memory_requests: memory.request };
}

function checkResources(resources: ResourceSpec, field: string): void {
  const errors: FieldError[] = [];
  if (parseQuantity(resources.cpu_requests) > parseQuantity(resources.cpu)) {
    errors.push({ path: `${field}.cpu_requests`, message: `must not be above the limit of ${resources.cpu}` });
  }
  if (parseQuantity(resources.memory_requests) > parseQuantity(resources.memory)) {
    errors.push({ path: `${field}.memory_requests`, message: `must not be above the limit of ${resources.memory}` });
  }
  if (parseQuantity(resources.memory) < 16 * 2 ** 20) {
    errors.push({ path: `${field}.memory`, message: 'must be at least 16Mi: less cannot start a process' });
  }
  if (errors.length > 0) throw new AppError('validation_failed', 'The resources contradict one another.', { errors });
}

function resolveCommand(command: CreateSessionRequest['command']): readonly string[] | null {
  if (command === undefined) return null;
  return typeof command === 'string' ? ['sh', '-c', command] : command;
}

function collectWarnings(request: CreateSessionRequest): string[] {
  const warnings: string[] = ignoredFields
    .filter((field) => request[field] !== undefined)
    .map((field) => `${field} is accepted for older clients and changes nothing.`);
  for (const name of reservedEnvNames) {
    if (request.env?.[name] !== undefined) warnings.push(`env.${name} is set by Berth; your value has no effect.`);
  }
  return warnings;
}

/** Throws `AppError`: `unknown_template`, `validation_failed`, `not_implemented`. */
export function resolveSession(request: CreateSessionRequest): ResolvedSession {
  refuseUnbuilt(request);
  const templateId = request.template ?? defaultTemplateId;
  const template = findTemplate(templateId);
  if (template === undefined) {
    throw new AppError('unknown_template', `There is no template "${templateId}".`, {
      errors: [{ path: 'template', message: 'no such template; GET /v1/templates lists them' }],
    });
  }
  const mountPath = request.storage_config?.mount_path;
  if (mountPath !== undefined && mountPath !== '/workspace') {
    throw new AppError('not_implemented', 'Other mount paths than /workspace are not built yet.', {
      errors: [{ path: 'storage_config.mount_path', message: 'leave it out or give /workspace' }],
    });
  }
  const tier = request.resource_tier ?? request.resource_package ?? 'small';
  const asked = request.resource_limits ?? request.resource_spec;
  const resources = resolveResources(tierResources[tier], asked);
  checkResources(resources, request.resource_limits === undefined ? 'resource_spec' : 'resource_limits');
  const env = Object.fromEntries(
    Object.entries(request.env ?? {}).filter(([name]) => !reservedEnvNames.some((reserved) => reserved === name)),
  );
  return {
    template: template.id,
    resourceTier: tier,
    ttlMinutes: request.ttl_minutes ?? bounds.ttlMinutes.default,
    spec: {
      image: resolveImage(request, template),
      command: resolveCommand(request.command),
      resources,
      env_names: Object.keys(env).toSorted(),
      storage_type: 'ephemeral',
      workspace_gb: WORKSPACE_GB,
      volumes: [],
      ports: [],
      before_stop: null,
      grace_period_seconds: 10,
      start_deadline_seconds: template.start_deadline_seconds,
    },
    env,
    warnings: collectWarnings(request),
  };
}
