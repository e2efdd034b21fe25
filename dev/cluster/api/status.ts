/**
 * Refusals as Kubernetes words them: every error answer is a `Status` object. The texts are those of a real API server (1.34).
 *
 * @module
 */
import type { V1Status, V1StatusCause } from '@kubernetes/client-node';
import type { Kind } from './resources.ts';

export class StatusError extends Error {
  readonly status: V1Status & { readonly code: number };

  constructor(code: number, reason: string, message: string, details?: V1Status['details']) {
    super(message);
    this.name = 'StatusError';
    this.status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, ...(details && { details }), code };
  }
}

/** A refusal that comes from the kubelet and is passed on: plain text, no `Status`. */
export class KubeletRefusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'KubeletRefusal';
    this.code = code;
  }
}

/** `details` of a Status name the plural, and the group where there is one. */
function about(kind: Kind, name: string, causes?: V1StatusCause[]): NonNullable<V1Status['details']> {
  return { name, ...(kind.group !== '' && { group: kind.group }), kind: kind.plural, ...(causes && { causes }) };
}

/** `pods`, `networkpolicies.networking.k8s.io`: how messages name a resource. */
export function qualified(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

export function notFound(kind: Kind, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${qualified(kind)} "${name}" not found`, about(kind, name));
}

export function alreadyExists(kind: Kind, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${qualified(kind)} "${name}" already exists`, about(kind, name));
}

/** The write was meant for another version of the object. */
export function modified(kind: Kind, name: string): StatusError {
  const advice = 'the object has been modified; please apply your changes to the latest version and try again';
  return new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(kind)} "${name}": ${advice}`, about(kind, name));
}

/** A delete's precondition does not hold. */
export function preconditionFailed(kind: Kind, name: string, field: 'UID' | 'ResourceVersion', asked: string, actual: string): StatusError {
  const advice = field === 'UID' ? 'The object might have been deleted and then recreated' : 'The object might have been modified';
  const message = `the ${field} in the precondition (${asked}) does not match the ${field} in record (${actual}). ${advice}`;
  return new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${kind.kind} "${name}": ${message}`, { name, kind: kind.kind });
}

export function forbidden(kind: Kind, name: string, message: string, causes?: V1StatusCause[]): StatusError {
  return new StatusError(403, 'Forbidden', `${qualified(kind)} "${name}" is forbidden: ${message}`, about(kind, name, causes));
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

export function unsupportedMediaType(): StatusError {
  return new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
}

/** What this stand-in does not have: real Kubernetes may, so this is not a 404. */
export function notImplemented(what: string): StatusError {
  return new StatusError(501, 'NotImplemented', `the embedded cluster does not have ${what}`, {});
}

/** The version a list or watch starts from has been forgotten. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function versionTooLarge(asked: number, current: number): StatusError {
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes,
    retryAfterSeconds: 1,
  });
}

/** One wrong field of an object (`field.Error` of Kubernetes). */
export interface FieldFault {
  readonly reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate'
    | 'FieldValueNotFound'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong';
  readonly field: string;
  readonly message: string;
}

/** 422 with all faults at once. `kindName` is the kind (`Pod`), not the plural. */
export function invalid(kindName: string, group: string, name: string, faults: readonly FieldFault[]): StatusError {
  const texts = faults.map((fault) => `${fault.field}: ${fault.message}`);
  const text = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`;
  const causes = faults.map(({ reason, message, field }) => ({ reason, message, field }));
  const details = { ...(name !== '' && { name }), ...(group !== '' && { group }), kind: kindName, causes };
  const qualifiedKind = group === '' ? kindName : `${kindName}.${group}`;
  return new StatusError(422, 'Invalid', `${qualifiedKind} "${name}" is invalid: ${text}`, details);
}
