/**
 * The body of `POST /v1/sessions`: the fields of the older system, and ours. Unknown fields are refused with their path.
 *
 * @module
 */
import { z } from 'zod';
import { userTypes } from '../entitlements/model.ts';
import { helperPort } from '../helper/address.ts';
import { volumeTypes } from '../storage/model.ts';
import { mountOptionsFault, splitMountOptions } from '../storage/mount-options.ts';
import { mountPathFault } from '../storage/mount-path.ts';
import { parseQuantity } from '../templates/quantities.ts';

/** Limits of Kubernetes and of Berth's own, in one place for schemas and tests. */
export const bounds = {
  nameCharacters: 63,
  namespaceCharacters: 40,
  userCharacters: 128,
  labels: 32,
  envNames: 100,
  envBytes: 32 * 1024,
  commandBytes: 96 * 1024,
  stdinBytes: 1024 * 1024,
  bodyBytes: 1024 * 1024,
  listPage: { default: 50, largest: 200 },
  ttlMinutes: { default: 60, largest: 365 * 24 * 60 },
  executionSeconds: { default: 120, largest: 300 },
  executionOutputBytes: 10 * 1024 * 1024,
  executionsPerSession: 50,
  volumesPerSession: 8,
  ports: 32,
  volumeGb: 65_536,
  idleTimeoutMinutes: 30 * 24 * 60,
  waitSeconds: { default: 100, largest: 100 },
} as const;

/** No control characters, of ASCII or beyond. */
const printable = /^\P{Cc}+$/u;

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
const dnsLabel = (characters: number) =>
  z
    .string()
    .min(1)
    .max(characters)
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'lower-case letters, digits and dashes; starts and ends with a letter or digit');

export const userSchema = z
  .string()
  .min(1)
  .max(bounds.userCharacters)
  .regex(/^[A-Za-z0-9_.:@+|-]+$/, 'letters, digits and _ . : @ + - |');

export const namespaceSchema = dnsLabel(bounds.namespaceCharacters).refine((name) => !name.startsWith('u-'), {
  message: 'names that start with u- are kept for the users’ own namespaces',
});

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, positive and in the units people use. */
const cpuQuantity = z
  .string()
  .regex(/^([1-9][0-9]{0,6}m|(0\.[0-9]{1,3}|[1-9][0-9]{0,3}(\.[0-9]{1,3})?))$/, 'a CPU quantity such as 500m or 2');
const LARGEST_MEMORY_BYTES = 2 ** 50;
const memoryQuantity = z
  .string()
  .regex(/^[1-9][0-9]{0,15}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?$/, { abort: true, error: 'a memory quantity such as 512Mi or 2Gi' })
  .refine((quantity) => parseQuantity(quantity) <= LARGEST_MEMORY_BYTES, { message: 'at most 1024Ti' });
const imageReference = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[A-Za-z0-9]+([._:/@-][A-Za-z0-9_]+|[._-]{2}[A-Za-z0-9_]+)*$/, 'an image reference such as python:3.11-slim');
/** Of a project or conversation, as its owner calls it. */
export const anchorIdSchema = z.string().min(1).max(128).regex(printable, 'no control characters');
const identifier = z.string().min(1).max(128).regex(printable, 'no control characters');

const envSchema = z
  .record(
    z
      .string()
      .max(256)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name of letters, digits and _'),
    z.string(),
  )
  .refine((env) => Object.keys(env).length <= bounds.envNames, { message: `at most ${bounds.envNames} names` })
  .refine(
    (env) =>
      Object.entries(env).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0) <= bounds.envBytes,
    { message: `at most ${bounds.envBytes} bytes together` },
  )
  .refine((env) => Object.values(env).every((value) => !value.includes('\0')), { message: 'values cannot hold a NUL character' });

export const labelName = /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/;

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ without prefixes: they never become Kubernetes labels. */
export const labelsSchema = z
  .record(z.string().regex(labelName, 'a label name of letters, digits, _ and -'), z.string().max(63))
  .refine((labels) => Object.keys(labels).length <= bounds.labels, { message: `at most ${bounds.labels} labels` });

/** Of the container; text is run by a shell. */
const commandSchema = z
  .union([z.string().min(1), z.array(z.string()).min(1).max(256)])
  .refine((command) => [command].flat().reduce((sum, part) => sum + Buffer.byteLength(part), 0) <= bounds.commandBytes, {
    message: `at most ${bounds.commandBytes} bytes together`,
  })
  .refine((command) => ![command].flat().some((part) => part.includes('\0')), { message: 'cannot hold a NUL character' });

const resourceLimits = z.strictObject({
  cpu: cpuQuantity.optional(),
  memory: memoryQuantity.optional(),
  cpu_requests: cpuQuantity.optional(),
  memory_requests: memoryQuantity.optional(),
});

/** Also what Kubernetes allows for a claim's name, so that the older system's `pvc_name` fits. */
export const volumeNameSchema = z
  .string()
  .min(1)
  .max(bounds.nameCharacters)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'lower-case letters, digits, dots and dashes; starts and ends with a letter or digit');

export const volumeSizeSchema = z.number().positive().max(bounds.volumeGb);

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
export const storageClassSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'the name of a storage class, such as standard-rwo');

/** https://cloud.google.com/storage/docs/buckets#naming */
const bucketNameSchema = z
  .string()
  .min(3)
  .max(222)
  .regex(/^[a-z0-9][a-z0-9._-]*[a-z0-9]$/, 'a bucket name: lower-case letters, digits, dots, dashes and underscores');

const mountPathSchema = z
  .string()
  .min(1)
  .max(256)
  .superRefine((path, context) => {
    const message = mountPathFault(path);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** A comma would begin another mount option. */
const prefixSchema = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^[A-Za-z0-9_.()!-][A-Za-z0-9_.()! -]*(\/[A-Za-z0-9_.()! -]+)*\/?$/, 'names of folders, separated by single slashes')
  .refine((prefix) => !prefix.split('/').some((part) => part === '.' || part === '..'), { message: 'cannot hold . or ..' });

const mountOptionsSchema = z.union([z.string().max(1024), z.array(z.string().max(256)).max(32)]).superRefine((given, context) => {
  const message = mountOptionsFault(splitMountOptions(given));
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const storageConfig = z.strictObject({
  storage_type: z.enum(['ephemeral', 'persistent_volume', 'gcs_fuse']).optional(),
  mount_path: mountPathSchema.optional(),
  storage_class: storageClassSchema.optional(),
  bucket_name: bucketNameSchema.optional(),
  pvc_name: volumeNameSchema.optional(),
  pvc_size: memoryQuantity.optional(),
  gcs_prefix: prefixSchema.optional(),
  gcs_mount_options: mountOptionsSchema.optional(),
});

export const snapshotIdSchema = z.string().regex(/^[0-9a-z]{26}$/, 'an id from /v1/storage/{id}/snapshots');
export const volumeIdSchema = z.string().regex(/^[0-9a-f]{32}$/, 'an id from /v1/storage');

/** One mount: of a volume by its name, which is made where there is none, or of one that is there by its id. */
const volumeMount = z
  .strictObject({
    name: volumeNameSchema.optional(),
    volume_id: volumeIdSchema.optional(),
    type: z.enum(volumeTypes).optional(),
    mount_path: mountPathSchema,
    read_only: z.boolean().optional(),
    size_gb: volumeSizeSchema.optional(),
    storage_class: storageClassSchema.optional(),
    shared: z.boolean().optional(),
    snapshot_id: snapshotIdSchema.optional(),
    retain: z.boolean().optional(),
    bucket_name: bucketNameSchema.optional(),
    prefix: prefixSchema.optional(),
    mount_options: mountOptionsSchema.optional(),
  })
  .refine(({ name, volume_id: id }) => name === undefined || id === undefined, {
    path: ['volume_id'],
    message: 'cannot stand beside name',
  });

const portSchema = z
  .int()
  .min(1)
  .max(65_535)
  .refine((port) => port !== helperPort, { message: 'is kept for Berth' });

export const resourceTiers = ['small', 'medium', 'large', 'xlarge'] as const;
const tier = z.enum(resourceTiers);

export const createSessionSchema = z.strictObject({
  provider: z.enum(['gke', 'auto']).optional(),
  template: z.string().min(1).max(63).optional(),
  namespace: namespaceSchema.optional(),
  user: userSchema.optional(),
  user_type: z.enum(userTypes).optional(),
  workspace_id: identifier.optional(),
  ttl_minutes: z.int().min(1).max(bounds.ttlMinutes.largest).optional(),
  resource_tier: tier.optional(),
  resource_package: tier.optional(),
  resource_spec: resourceLimits.optional(),
  resource_limits: resourceLimits.optional(),
  image: imageReference.optional(),
  image_spec: z
    .strictObject({
      image_type: z.string().max(63).optional(),
      image_url: imageReference.optional(),
      image_tag: z.string().max(128).optional(),
    })
    .optional(),
  gpu_spec: z.strictObject({ gpu_type: z.string().max(63).optional(), gpu_count: z.int().min(1).max(64).optional() }).optional(),
  env: envSchema.optional(),
  request_persistent_storage: z.boolean().optional(),
  persistent_storage_size_gb: volumeSizeSchema.optional(),
  request_bucket: z.boolean().optional(),
  bucket_size_gb: volumeSizeSchema.optional(),
  storage_config: storageConfig.optional(),
  storage: z.unknown().optional(),
  needs_ssh: z.unknown().optional(),
  long_lived: z.unknown().optional(),
  expected_duration_minutes: z.unknown().optional(),
  name: z.string().min(1).max(bounds.nameCharacters).regex(printable, 'no control characters').optional(),
  labels: labelsSchema.optional(),
  command: commandSchema.optional(),
  ports: z.array(portSchema).max(bounds.ports).optional(),
  volumes: z.array(volumeMount).max(bounds.volumesPerSession).optional(),
  project_id: identifier.optional(),
  conversation_id: identifier.optional(),
  idle_timeout_minutes: z.int().min(1).max(bounds.idleTimeoutMinutes).optional(),
  preserve_data: z.boolean().optional(),
});

export type CreateSessionRequest = z.output<typeof createSessionSchema>;
