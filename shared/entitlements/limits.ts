/**
 * What each user type may hold (design §8, "Entitlements by user type").
 *
 * @module
 */
import type { Entitlements, UserDocument, UserType } from './model.ts';

const DAY_MINUTES = 24 * 60;

export const defaultEntitlements: Readonly<Record<UserType, Entitlements>> = {
  normal: {
    sessions: 5,
    jobs: 5,
    ttl_minutes: DAY_MINUTES,
    buckets: 1,
    pvcs: 1,
    storage_gb: 50,
    cpu: 4,
    memory_gb: 8,
    gpus: 0,
    share: false,
    cross_namespace: false,
  },
  pro: {
    sessions: 25,
    jobs: 25,
    ttl_minutes: 7 * DAY_MINUTES,
    buckets: 5,
    pvcs: 3,
    storage_gb: 500,
    cpu: 32,
    memory_gb: 64,
    gpus: 1,
    share: true,
    cross_namespace: true,
  },
  enterprise: {
    sessions: 250,
    jobs: 250,
    ttl_minutes: 30 * DAY_MINUTES,
    buckets: 100,
    pvcs: 50,
    storage_gb: 10_240,
    cpu: 500,
    memory_gb: 1000,
    gpus: 8,
    share: true,
    cross_namespace: true,
  },
  admin: {
    sessions: 1000,
    jobs: 1000,
    ttl_minutes: 365 * DAY_MINUTES,
    buckets: 1000,
    pvcs: 1000,
    storage_gb: 102_400,
    cpu: 4000,
    memory_gb: 8000,
    gpus: 64,
    share: true,
    cross_namespace: true,
  },
};

/** The type's limits, with the configuration's values for the type over them, and the user's own over those. */
export function entitlementsOf(
  type: UserType,
  own: UserDocument['limits'] = {},
  configured: Readonly<Partial<Record<UserType, Partial<Entitlements>>>> = {},
): Entitlements {
  return { ...defaultEntitlements[type], ...configured[type], ...own };
}
