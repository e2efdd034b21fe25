/**
 * Wordings of field faults, as Kubernetes has them in `field.Error`.
 *
 * @module
 */
import type { FieldFault } from '../status.ts';

export function invalidValue(field: string, value: unknown, message: string): FieldFault {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${message}` };
}

export function required(field: string, detail = ''): FieldFault {
  return { reason: 'FieldValueRequired', field, message: detail === '' ? 'Required value' : `Required value: ${detail}` };
}

export function duplicate(field: string, value: string): FieldFault {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

export function missing(field: string, value: string): FieldFault {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${JSON.stringify(value)}` };
}

export function unsupported(field: string, value: unknown, supported: readonly string[]): FieldFault {
  const list = supported.map((item) => JSON.stringify(item)).join(', ');
  return { reason: 'FieldValueNotSupported', field, message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}` };
}

export function forbiddenField(field: string, detail: string): FieldFault {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` };
}
