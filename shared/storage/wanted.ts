/**
 * What the older system's fields ask for, in either of their two ways. Pure.
 *
 * @module
 */
import type { CreateSessionRequest } from '../sessions/create-request.ts';

export function wantsPersistent(request: CreateSessionRequest): boolean {
  return request.request_persistent_storage === true || request.storage_config?.storage_type === 'persistent_volume';
}

export function wantsBucket(request: CreateSessionRequest): boolean {
  return request.request_bucket === true || request.storage_config?.storage_type === 'gcs_fuse';
}
