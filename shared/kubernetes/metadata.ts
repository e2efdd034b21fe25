/**
 * Lists of metadata alone: what is needed of thousands of objects to find the few that are not as they should be
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches).
 *
 * @module
 */
import { z } from 'zod';
import { KubernetesError, parseStatus } from './errors.ts';
import type { MetadataListOptions, MetadataPage, ObjectMetadata } from './port.ts';
import type { Transport } from './transport.ts';

const ACCEPT = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
const TIMEOUT_MS = 30_000;

/** The library makes dates of what the API server sends as text. */
const time = z.union([z.string(), z.date().transform((date) => date.toISOString())]);
const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((given) => given ?? {});

const Metadata = z
  .object({
    name: z.string(),
    namespace: z.string().nullish(),
    uid: z.string(),
    labels: texts,
    annotations: texts,
    creationTimestamp: time,
    deletionTimestamp: time.nullish(),
    ownerReferences: z.array(z.unknown()).nullish(),
  })
  .transform((metadata): ObjectMetadata => ({
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    uid: metadata.uid,
    labels: metadata.labels,
    annotations: metadata.annotations,
    createdAt: metadata.creationTimestamp,
    deletedAt: metadata.deletionTimestamp ?? null,
    isOwned: (metadata.ownerReferences ?? []).length > 0,
  }));

const ListAnswer = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().nullish() }),
  items: z.array(z.object({ metadata: Metadata })).nullable(),
});

/** The metadata of an object of any kind, as a list, a watch or a typed call has it. */
export function metadataOf(object: { readonly metadata?: unknown }): ObjectMetadata {
  return Metadata.parse(object.metadata);
}

/** Throws `KubernetesError` where the server refuses (410: the page was asked for too late), `KubernetesUnreachable` where it is away. */
export async function listMetadata(transport: Transport, options: MetadataListOptions): Promise<MetadataPage> {
  const { path, labelSelector, fieldSelector, limit, signal } = options;
  const query = new URLSearchParams({ limit: String(limit) });
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector);
  if (options.continue !== undefined) query.set('continue', options.continue);
  const request = {
    method: 'GET',
    path: `${path}?${query.toString()}`,
    headers: { accept: ACCEPT },
    ...(signal !== undefined && { signal }),
  };
  const answer = await transport.fetch(request, TIMEOUT_MS);
  const body = answer.body.toString();
  if (answer.status !== 200) throw new KubernetesError(parseStatus(answer.status, body, answer.headers['retry-after']));
  const { metadata, items } = ListAnswer.parse(JSON.parse(body));
  return {
    items: (items ?? []).map((item) => item.metadata),
    resourceVersion: metadata.resourceVersion,
    ...(metadata.continue ? { continue: metadata.continue } : {}),
  };
}
