/**
 * A session as callers see it: flat, with every field of the older system.
 *
 * @module
 */
import { z } from '@hono/zod-openapi';
import { userTypes } from '../entitlements/model.ts';
import { channelKinds } from '../helper/model.ts';
import { workspacePath } from '../pods/names.ts';
import { sessionStatuses, type SessionDocument, type SessionSpec } from '../sessions/model.ts';
import { volumeTypes } from '../storage/model.ts';

const storageTypes = ['ephemeral', 'persistent_volume', 'gcs_fuse'] as const satisfies readonly SessionDocument['spec']['storage_type'][];
const time = z.string().openapi({ format: 'date-time' });

export const sessionSchema = z
  .object({
    id: z.string(),
    provider: z.literal('gke'),
    name: z.string().nullable(),
    labels: z.record(z.string(), z.string()),
    template: z.string(),
    namespace: z.string(),
    user: z.string(),
    user_type: z.enum(userTypes),
    workspace_id: z.string().nullable(),
    project_id: z.string().nullable(),
    conversation_id: z.string().nullable(),
    status: z.enum(sessionStatuses),
    reason: z
      .string()
      .nullable()
      .openapi({ description: 'Why it has this status: `<code>: <words>`.', example: 'ErrImagePull: no such image' }),
    websocket: z.string().openapi({ description: 'Absolute URL of the command protocol.' }),
    created_at: time,
    updated_at: time,
    started_at: time.nullable(),
    stopped_at: time.nullable(),
    expires_at: time,
    terminated_at: time.nullable(),
    ttl_minutes: z.number(),
    idle_timeout_minutes: z.number().nullable().openapi({ description: 'Null: it is never stopped for being idle.' }),
    preserve_data: z.boolean().openapi({ description: 'Whether the volumes that were made for it stay when it ends.' }),
    resource_tier: z.string(),
    image: z.string(),
    env_names: z.array(z.string()).openapi({ description: 'Names of the variables given at create; their values are never answered.' }),
    storage: z.object({ storage_type: z.enum(storageTypes), mount_path: z.string(), size_gb: z.number() }),
    volumes: z
      .array(
        z.object({ volume_id: z.string(), type: z.enum(volumeTypes), mount_path: z.string(), read_only: z.boolean(), size_gb: z.number() }),
      )
      .openapi({ description: 'What is mounted; /v1/storage/{volume_id} has the rest.' }),
    gpu: z.object({ type: z.string().nullable(), count: z.int() }).nullable(),
    ports: z.array(z.object({ port: z.int(), url: z.string() })),
    access_url: z.string().nullable().openapi({ description: 'Of the first port; null where there is none.' }),
    k8s_namespace: z.string(),
    pod_name: z.string(),
    node_name: z.string().nullable(),
    channel: z.enum(channelKinds).nullable().openapi({ description: 'How Berth reaches the pod.' }),
    generation: z.int(),
    warnings: z.array(z.string()),
    details: z.object({
      k8s_ns: z.string(),
      pod: z.string(),
      storage_type: z.enum(storageTypes),
      resource_tier: z.string(),
      user_type: z.enum(userTypes),
    }),
  })
  .openapi('Session');

export type SessionAnswer = z.output<typeof sessionSchema>;

/** `origin` is where callers reach Berth, `https://host` without a path. */
export function sessionAnswer(session: SessionDocument, { origin }: { readonly origin: string }): SessionAnswer {
  const { spec } = session;
  const ports = spec.ports.map((port) => ({ port, url: new URL(`/v1/sessions/${session.id}/ports/${String(port)}/`, origin).href }));
  return {
    id: session.id,
    provider: 'gke',
    name: session.name,
    labels: { ...session.labels },
    template: session.template,
    namespace: session.namespace,
    user: session.user,
    user_type: session.user_type,
    workspace_id: session.workspace_id,
    project_id: session.project_id,
    conversation_id: session.conversation_id,
    status: session.status,
    reason: session.reason,
    websocket: commandProtocolUrl(session, origin),
    created_at: session.created_at,
    updated_at: session.updated_at,
    started_at: session.started_at,
    stopped_at: session.stopped_at,
    expires_at: session.expires_at,
    terminated_at: session.terminated_at,
    ttl_minutes: session.ttl_minutes,
    idle_timeout_minutes: session.idle_timeout_minutes,
    preserve_data: session.preserve_data,
    resource_tier: session.resource_tier,
    ...specAnswer(spec),
    ports,
    access_url: ports[0]?.url ?? null,
    k8s_namespace: session.k8s_namespace,
    pod_name: session.pod_name,
    node_name: session.node_name,
    channel: session.channel ?? null,
    generation: session.generation,
    warnings: [...session.warnings],
    details: {
      k8s_ns: session.k8s_namespace,
      pod: session.pod_name,
      storage_type: spec.storage_type,
      resource_tier: session.resource_tier,
      user_type: session.user_type,
    },
  };
}

function specAnswer(spec: SessionSpec): Pick<SessionAnswer, 'image' | 'env_names' | 'storage' | 'volumes' | 'gpu'> {
  return {
    image: spec.image,
    env_names: [...spec.env_names],
    storage: { storage_type: spec.storage_type, mount_path: workspacePath, size_gb: spec.workspace_gb },
    volumes: spec.volumes.map(({ volume_id, type, mount_path, read_only, size_gb }) => ({
      volume_id,
      type,
      mount_path,
      read_only,
      size_gb,
    })),
    gpu: spec.gpu ?? null,
  };
}

function commandProtocolUrl(session: SessionDocument, origin: string): string {
  const url = new URL(`/v1/gke/shell/${session.id}`, origin.replace(/^http/, 'ws'));
  url.searchParams.set('k8s_ns', session.k8s_namespace);
  url.searchParams.set('pod', session.pod_name);
  return url.href;
}
