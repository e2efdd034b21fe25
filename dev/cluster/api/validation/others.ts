/**
 * Secrets, claims and quota objects.
 *
 * @module
 */
import type { V1PersistentVolumeClaim, V1ResourceQuota, V1Secret } from '@kubernetes/client-node';
import type { LimitRange } from '../limit-range.ts';
import { deepEqual } from '../json.ts';
import { quantityOf } from '../quantity.ts';
import { badRequest } from '../status.ts';
import type { FieldFault } from '../status.ts';
import { forbiddenField, invalidValue, required } from './faults.ts';
import { requireQuantities } from './resources.ts';

/** The data of one Secret may hold 1 MiB. */
const LONGEST_SECRET = 1024 * 1024;

/** Throws 400 where a value is not base64. */
export function decodeSecret(secret: V1Secret): void {
  for (const value of Object.values(secret.data ?? {})) {
    if (typeof value !== 'string' || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)) {
      throw badRequest('Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0');
    }
  }
}

export function validateSecret(secret: V1Secret): FieldFault[] {
  const data = Object.entries(secret.data ?? {});
  const size = data.reduce((sum, [, value]) => sum + Buffer.byteLength(value, 'base64'), 0);
  const faults = data
    .filter(([key]) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key))
    .map(([key]) =>
      invalidValue(
        `data[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ),
    );
  return size > LONGEST_SECRET
    ? [...faults, { reason: 'FieldValueTooLong', field: 'data', message: `Too long: may not be more than ${LONGEST_SECRET} bytes` }]
    : faults;
}

export function validateSecretUpdate(next: V1Secret, current: V1Secret): FieldFault[] {
  if (next.type !== current.type) return [invalidValue('type', next.type, 'field is immutable')];
  if (current.immutable !== true) return [];
  if (next.immutable !== true) return [forbiddenField('immutable', 'field is immutable when `immutable` is set')];
  return deepEqual(next.data, current.data) ? [] : [forbiddenField('data', 'field is immutable when `immutable` is set')];
}

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

export function decodeClaim(claim: V1PersistentVolumeClaim): void {
  requireQuantities('PersistentVolumeClaim', claim.spec?.resources?.requests);
}

export function validateClaim(claim: V1PersistentVolumeClaim): FieldFault[] {
  const { accessModes = [], resources } = claim.spec ?? {};
  const storage = resources?.requests?.['storage'];
  const faults: FieldFault[] = [];
  if (accessModes.length === 0) faults.push(required('spec.accessModes', 'at least 1 access mode is required'));
  for (const mode of accessModes)
    if (!ACCESS_MODES.includes(mode))
      faults.push({
        reason: 'FieldValueNotSupported',
        field: 'spec.accessModes',
        message: `Unsupported value: "${mode}": supported values: ${ACCESS_MODES.map((item) => `"${item}"`).join(', ')}`,
      });
  if (storage === undefined) faults.push(required('spec.resources[storage]'));
  else if (quantityOf(storage).nano <= 0n) faults.push(invalidValue('spec.resources[storage]', storage, 'must be greater than zero'));
  return faults;
}

/** A claim may only grow, and only once it is bound. */
export function validateClaimUpdate(next: V1PersistentVolumeClaim, current: V1PersistentVolumeClaim): FieldFault[] {
  const bound = current.status?.phase === 'Bound';
  const [wanted, present] = [next, current].map((claim) => quantityOf(claim.spec?.resources?.requests?.['storage']).nano);
  const spec = { ...next.spec, ...(bound && { resources: current.spec?.resources }) };
  if (!deepEqual(spec, { ...current.spec }))
    return [
      forbiddenField('spec', 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'),
    ];
  if ((wanted ?? 0n) < (present ?? 0n))
    return [forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity')];
  return [];
}

export function decodeQuota(quota: V1ResourceQuota): void {
  requireQuantities('ResourceQuota', quota.spec?.hard);
}

export function decodeLimitRange(range: LimitRange): void {
  for (const item of range.spec?.limits ?? []) {
    for (const part of [item.default, item.defaultRequest, item.max, item.min]) requireQuantities('LimitRange', part);
  }
}
