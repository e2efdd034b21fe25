/**
 * Errors as RFC 9457 problem documents: the one place where they are rendered.
 *
 * @module
 */
import { HTTPException } from 'hono/http-exception';
import { AppError } from '../errors/app-error.ts';
import { catalog, type CatalogEntry, type ErrorCode } from '../errors/catalog.ts';
import { toAppError } from '../errors/translate.ts';

export const problemContentType = 'application/problem+json';

/** Where the codes are explained; stable, so that clients may compare it, whether or not something answers there. */
const TYPE_PREFIX = 'https://berth.dev/problems/';

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'payload_too_large',
  415: 'validation_failed',
};

export interface RenderedProblem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Any thrown value as the error that is rendered: the framework's own exceptions by their status, the rest by `toAppError`. */
export function errorOf(thrown: unknown): AppError {
  if (!(thrown instanceof HTTPException)) return toAppError(thrown);
  const code = codesByStatus[thrown.status];
  if (code === undefined) return new AppError('internal', 'The request could not be answered.', { cause: thrown });
  return new AppError(code, thrown.message || catalog[code].title, { cause: thrown });
}

/** Pure: what is answered for this error. Extensions never replace a standard member. */
export function renderProblem(error: AppError, requestId: string): RenderedProblem {
  const entry: CatalogEntry = catalog[error.code];
  const body = {
    ...error.extensions,
    type: `${TYPE_PREFIX}${error.code}`,
    title: entry.title,
    status: entry.status,
    detail: error.detail,
    code: error.code,
    retryable: entry.retryable,
    remediation: entry.remediation,
    request_id: requestId,
    ...(error.errors.length === 0 ? {} : { errors: error.errors }),
  };
  return {
    status: entry.status,
    headers: {
      'Content-Type': problemContentType,
      ...(error.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(Math.max(0, Math.ceil(error.retryAfterSeconds))) }),
      ...(entry.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="berth"' } : {}),
      ...allowHeader(error),
    },
    body: JSON.stringify(body),
  };
}

/** RFC 9110 §15.5.6: a 405 names the methods that there are. */
function allowHeader({ code, extensions }: AppError): Record<string, string> {
  const allow = extensions['allow'];
  return code === 'method_not_allowed' && Array.isArray(allow) ? { Allow: allow.join(', ') } : {};
}
