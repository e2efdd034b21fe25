/**
 * How a session that is there differs from what a request asks for: what the caller is told, and what a rebuild changes. Pure.
 *
 * @module
 */
import type { CreateSessionRequest } from './create-request.ts';
import type { SessionDocument, SessionSpec } from './model.ts';
import type { Rebuild } from './next-pod.ts';
import type { ResolvedSession } from './resolve.ts';

/** Sentences; empty where the session is what was asked for. What the request does not name is not compared, nor are values of `env`. */
export function differences(
  session: SessionDocument,
  request: CreateSessionRequest,
  { spec, template }: ResolvedSession,
): readonly string[] {
  const has = session.spec;
  const named = {
    image: request.image !== undefined || request.image_spec !== undefined || request.template !== undefined,
    resources: [request.resource_tier, request.resource_package, request.resource_spec, request.resource_limits].some(
      (field) => field !== undefined,
    ),
  };
  const rules: readonly (readonly [boolean, string])[] = [
    [named.image && spec.image !== has.image, `It runs the image ${has.image}, not ${spec.image}.`],
    [
      request.template !== undefined && template !== session.template,
      `It was made from the template ${session.template}, not ${template}.`,
    ],
    [named.resources && differ(spec.resources, has.resources), `It has the limits ${amounts(has)}, not ${amounts(spec)}.`],
    [request.gpu_spec !== undefined && differ(spec.gpu, has.gpu), 'It has other GPUs.'],
    [request.command !== undefined && differ(spec.command, has.command), 'It runs another command.'],
    [request.ports !== undefined && differ(spec.ports, has.ports), `It offers the ports ${has.ports.join(', ') || '(none)'}.`],
    [request.env !== undefined && differ(spec.env_names, has.env_names), 'Its env has other names.'],
  ];
  return rules.filter(([holds]) => holds).map(([, words]) => `${words} With ?recreate=true it is rebuilt on its storage.`);
}

function amounts({ resources }: Pick<SessionSpec, 'resources'>): string {
  return `cpu ${resources.cpu} and memory ${resources.memory} (requests ${resources.cpu_requests} and ${resources.memory_requests})`;
}

/** By their values; the fields of both come in the order in which `resolveSession` writes them, or Firestore answers them. */
function differ(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) !== JSON.stringify(sorted(right));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => left.localeCompare(right)));
}

/** What the request makes of the session: everything but its storage. */
export function rebuildFor(session: SessionDocument, request: CreateSessionRequest, resolved: ResolvedSession): Rebuild {
  const { volumes, storage_type, workspace_gb, active_deadline_seconds, env_names } = session.spec;
  return {
    template: resolved.template,
    resource_tier: resolved.resourceTier,
    spec: {
      ...resolved.spec,
      volumes,
      storage_type,
      workspace_gb,
      active_deadline_seconds,
      env_names: request.env === undefined ? env_names : resolved.spec.env_names,
    },
  };
}
