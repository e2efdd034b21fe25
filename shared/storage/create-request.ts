/**
 * The bodies of `/v1/storage`.
 *
 * @module
 */
import { z } from 'zod';
import {
  namespaceSchema,
  snapshotIdSchema,
  storageClassSchema,
  userSchema,
  volumeNameSchema,
  volumeSizeSchema,
} from '../sessions/create-request.ts';
import { volumeTypes } from './model.ts';

export const createVolumeSchema = z.strictObject({
  name: volumeNameSchema,
  type: z.enum(volumeTypes).optional(),
  namespace: namespaceSchema.optional(),
  user: userSchema.optional(),
  size_gb: volumeSizeSchema.optional(),
  storage_class: storageClassSchema.optional(),
  shared: z.boolean().optional(),
  snapshot_id: snapshotIdSchema.optional(),
  retain: z.boolean().optional(),
});

export type CreateVolumeRequest = z.output<typeof createVolumeSchema>;

export const changeVolumeSchema = z
  .strictObject({ size_gb: volumeSizeSchema.optional(), retain: z.boolean().optional() })
  .refine((body) => Object.keys(body).length > 0, { message: 'must change something: size_gb or retain' });

export type ChangeVolumeRequest = z.output<typeof changeVolumeSchema>;
