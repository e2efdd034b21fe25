/**
 * A user as callers see one.
 *
 * @module
 */
import { z } from '@hono/zod-openapi';
import { limitsSchema } from '../config-users.ts';
import { userTypes, type Entitlements, type Usage } from '../entitlements/model.ts';
import type { UserView } from '../entitlements/users.ts';

const time = z.string().openapi({ format: 'date-time' });
const number = z.number();

export const usageSchema = z
  .object({
    sessions: number,
    jobs: number,
    buckets: number,
    pvcs: number,
    storage_gb: number,
    cpu: number.openapi({ description: 'Cores, the sum of the requests.' }),
    memory_gb: number.openapi({ description: 'The sum of the requests.' }),
    gpus: number,
  } satisfies Record<keyof Usage, z.ZodType>)
  .openapi('Usage', { description: 'What is held now, under the names of the limits.' });

export const entitlementsSchema = z
  .object({
    sessions: number,
    jobs: number,
    ttl_minutes: number,
    buckets: number,
    pvcs: number,
    storage_gb: number,
    cpu: number,
    memory_gb: number,
    gpus: number,
    share: z.boolean(),
    cross_namespace: z.boolean(),
    max_buckets: number.openapi({ description: '`buckets`, under its older name.' }),
    max_persistent_storage: number.openapi({ description: '`pvcs`, under its older name.' }),
    max_storage_size_gb: number.openapi({ description: '`storage_gb`, under its older name.' }),
    can_share: z.boolean().openapi({ description: '`share`, under its older name.' }),
    can_cross_namespace: z.boolean().openapi({ description: '`cross_namespace`, under its older name.' }),
  })
  .openapi('Entitlements');

export const userAnswerSchema = z
  .object({
    user: z.string(),
    type: z.enum(userTypes),
    limits: limitsSchema.meta({ description: 'Values of this user’s own, in place of the type’s.' }),
    entitlements: entitlementsSchema,
    usage: usageSchema,
    created_at: time.nullable().openapi({ description: 'Null where nothing is known of the user yet: the default type applies.' }),
    deleted_at: time.nullable(),
  })
  .openapi('User');

/** Under the names of the limits, and under those of the older system. */
export function entitlementsAnswer(entitlements: Entitlements): z.output<typeof entitlementsSchema> {
  return {
    ...entitlements,
    max_buckets: entitlements.buckets,
    max_persistent_storage: entitlements.pvcs,
    max_storage_size_gb: entitlements.storage_gb,
    can_share: entitlements.share,
    can_cross_namespace: entitlements.cross_namespace,
  };
}

export function userAnswer(view: UserView): z.output<typeof userAnswerSchema> {
  const { user, type, limits, usage, created_at, deleted_at } = view;
  return {
    user,
    type,
    limits: { ...limits },
    entitlements: entitlementsAnswer(view.entitlements),
    usage: { ...usage },
    created_at,
    deleted_at,
  };
}
