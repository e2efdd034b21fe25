/**
 * From what a caller asked for to the whole of what will be: template, tier, image, resources, storage, with every default filled in.
 * Pure.
 *
 * @module
 */
import { AppError, type FieldError } from '../errors/app-error.ts';
import { defaultTemplateId, findTemplate, tierResources, type Template } from '../templates/catalog.ts';
import { parseQuantity } from '../templates/quantities.ts';
import { workspacePath } from '../pods/names.ts';
import { requestedVolumes, type VolumeRequest } from '../storage/requests.ts';
import { bounds, type CreateSessionRequest } from './create-request.ts';
import type { ResourceSpec, SessionSpec } from './model.ts';

export interface ResolvedSession {
  readonly template: string;
  readonly resourceTier: string;
  readonly ttlMinutes: number;
  /** The hard cap of the pod's life comes with admission, from the owner's entitlements; so do the volumes, from the store. */
  readonly spec: Omit<SessionSpec, 'active_deadline_seconds'>;
  readonly volumes: readonly VolumeRequest[];
  readonly idleTimeoutMinutes: number | null;
  /** Values go into the session's Kubernetes Secret and nowhere else. */
  readonly env: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface ResolveOptions {
  /** One that is not built in, by the id that the request names. */
  readonly template?: Template;
  /** The name of the volume at `/workspace` where the request names none: sessions of projects and conversations have one. */
  readonly workspaceVolume?: string;
}

const WORKSPACE_GB = 10;

/** Set by Berth in every pod; a caller's own values of these names have no effect. */
export const reservedEnvNames = ['SESSION_ID', 'WORKSPACE_ID', 'NAMESPACE', 'USER', 'USER_ID', 'HOME', 'BUCKET_NAME'] as const;

/** Fields of the older system that change nothing here. */
const ignoredFields = ['storage', 'needs_ssh', 'long_lived', 'expected_duration_minutes'] as const;

/** Fields that have routes of their own: refused here, never half true. */
function refuseMisplaced(request: CreateSessionRequest): void {
  const errors = (
    [
      ['project_id', 'projects'],
      ['conversation_id', 'conversations'],
    ] as const
  )
    .filter(([field]) => request[field] !== undefined)
    .map(([path, plural]) => ({ path, message: `leave it out; PUT /v1/${plural}/{id}/session makes the session of one` }));
  if (errors.length > 0)
    throw new AppError('validation_failed', 'Sessions of projects and conversations have a route of their own.', { errors });
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

function resolveCommand(command: CreateSessionRequest['command'], template: Template): readonly string[] | null {
  if (command === undefined) return template.command;
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

/** The workspace's own: what is mounted elsewhere outlives the pod without it. */
function workspaceOf(volumes: readonly VolumeRequest[]): Pick<SessionSpec, 'storage_type' | 'workspace_gb'> {
  const mounted = volumes.find(({ mount_path: path }) => path === workspacePath);
  return { storage_type: mounted?.type ?? 'ephemeral', workspace_gb: mounted?.size_gb ?? WORKSPACE_GB };
}

function templateOf(request: CreateSessionRequest, given: Template | undefined): Template {
  const id = request.template ?? defaultTemplateId;
  const template = given ?? findTemplate(id);
  if (template !== undefined) return template;
  throw new AppError('unknown_template', `There is no template "${id}".`, {
    errors: [{ path: 'template', message: 'no such template; GET /v1/templates lists them' }],
  });
}

function resolveGpu(request: CreateSessionRequest): Pick<SessionSpec, 'gpu'> {
  if (request.gpu_spec === undefined) return {};
  const { gpu_type: type = null, gpu_count: count = 1 } = request.gpu_spec;
  return { gpu: { type, count } };
}

/** Throws `AppError`: `unknown_template`, `validation_failed`. */
export function resolveSession(request: CreateSessionRequest, options: ResolveOptions = {}): ResolvedSession {
  if (options.workspaceVolume === undefined) refuseMisplaced(request);
  const template = templateOf(request, options.template);
  const tier = request.resource_tier ?? request.resource_package ?? template.resource_tier;
  const asked = request.resource_limits ?? request.resource_spec;
  const resources = resolveResources(tierResources[tier], asked);
  checkResources(resources, request.resource_limits === undefined ? 'resource_spec' : 'resource_limits');
  const volumes = requestedVolumes(request, options.workspaceVolume);
  const env = Object.fromEntries(
    Object.entries(request.env ?? {}).filter(([name]) => !reservedEnvNames.some((reserved) => reserved === name)),
  );
  return {
    template: template.id,
    resourceTier: tier,
    ttlMinutes: request.ttl_minutes ?? bounds.ttlMinutes.default,
    spec: {
      image: resolveImage(request, template),
      command: resolveCommand(request.command, template),
      resources,
      ...resolveGpu(request),
      env_names: Object.keys(env).toSorted(),
      ...workspaceOf(volumes),
      volumes: [],
      ports: [...new Set(request.ports ?? template.ports)],
      before_stop: template.before_stop,
      grace_period_seconds: template.grace_period_seconds,
      start_deadline_seconds: template.start_deadline_seconds,
      egress: template.egress,
      ...(template.runtime_class === null ? {} : { runtime_class: template.runtime_class }),
    },
    volumes,
    idleTimeoutMinutes: request.idle_timeout_minutes ?? template.idle_timeout_minutes,
    env,
    warnings: collectWarnings(request),
  };
}
