/**
 * What can go wrong when talking to Kubernetes, and what a caller of Berth gets to see of it.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';

/** The part of a Kubernetes `Status` that is read here (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). */
export interface KubernetesStatus {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

/** An answer of the API server outside 2xx, from the watch and the exec stream. The library's typed calls throw its own `ApiException`. */
export class KubernetesError extends Error {
  readonly status: KubernetesStatus;

  constructor(status: KubernetesStatus, options?: ErrorOptions) {
    super(`${String(status.code)} ${status.reason}: ${status.message}`, options);
    this.name = 'KubernetesError';
    this.status = status;
  }
}

/** The API server could not be reached, or did not answer in time. Nothing is known about what it did. */
export class KubernetesUnreachable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KubernetesUnreachable';
  }
}

interface StatusBody {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** Makes a status of an HTTP answer. A body that is no Status (a proxy's HTML, plain text) becomes its message, cut to 2,000 characters. */
export function parseStatus(code: number, body: string, retryAfter?: string): KubernetesStatus {
  const seconds = Number(retryAfter);
  const parsed = parseBody(body);
  const retryAfterSeconds = retryAfter !== undefined && Number.isFinite(seconds) ? seconds : parsed.details?.retryAfterSeconds;
  return {
    code,
    reason: parsed.reason ?? 'Unknown',
    message: (parsed.message ?? body.trim()).slice(0, 2_000) || `HTTP ${String(code)}`,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}

function parseBody(body: string): StatusBody {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** The status that the API server answered with, or `undefined` where the error is none of its answers. */
export function statusOf(error: unknown): KubernetesStatus | undefined {
  if (error instanceof KubernetesError) return error.status;
  if (!isApiException(error)) return undefined;
  const body = typeof error.body === 'string' ? error.body : JSON.stringify(error.body ?? {});
  return parseStatus(error.code, body, error.headers['retry-after']);
}

// By its shape: `instanceof` would import the library, which takes a quarter of a second.
function isApiException(error: unknown): error is Error & { code: number; body: unknown; headers: Record<string, string> } {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'body' in error && 'headers' in error;
}

/** Kubernetes says so itself: the 404 of a proxy, or of a wrong path, is no word about an object. */
export const isNotFound = (error: unknown): boolean => statusOf(error)?.reason === 'NotFound';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle */
export function isNamespaceTerminating(error: unknown): boolean {
  const status = statusOf(error);
  return status?.code === 403 && status.message.includes('is being terminated');
}

/** A name is taken. (A 409 has several reasons; see `isConflict`.) */
export const isAlreadyExists = (error: unknown): boolean => statusOf(error)?.reason === 'AlreadyExists';

/** Changed by somebody else meanwhile, or a precondition (uid, resourceVersion) does not hold. */
export const isConflict = (error: unknown): boolean => statusOf(error)?.reason === 'Conflict';

/** The server has forgotten that version or that `continue` token. */
export const isGone = (error: unknown): boolean => statusOf(error)?.code === 410;

/**
 * The error as the domains know it. What may pass by itself (no connection, 429, 5xx, an expired credential) is `cluster_unavailable`;
 * a refusal is `cluster_refused` with Kubernetes' own words; a lost race is `conflict`. An `AppError` is handed on as it is.
 * Details of connection errors hold addresses, so they go into `cause` only. What did not come from Kubernetes at all is `internal`.
 */
export function translateKubernetesError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  if (status !== undefined) return translateStatus(status, error);
  if (error instanceof KubernetesUnreachable) {
    return new AppError('cluster_unavailable', 'The Kubernetes API could not be reached or did not answer in time.', { cause: error });
  }
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) {
    return new AppError('cluster_unavailable', 'The request to Kubernetes was given up.', { cause: error });
  }
  return new AppError('internal', 'Something went wrong while talking to Kubernetes.', { cause: error });
}

function translateStatus(status: KubernetesStatus, error: unknown): AppError {
  const { code, reason, message, retryAfterSeconds } = status;
  if (code === 429 || code >= 500 || code === 408) {
    return new AppError('cluster_unavailable', `The Kubernetes API cannot serve this now (${String(code)} ${reason}).`, {
      cause: error,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
  if (code === 401) return new AppError('cluster_unavailable', "The Kubernetes API does not accept Berth's credentials.", { cause: error });
  if (reason === 'Conflict') return new AppError('conflict', message, { cause: error });
  return new AppError('cluster_refused', message, { cause: error, extensions: { kubernetes_reason: reason } });
}
