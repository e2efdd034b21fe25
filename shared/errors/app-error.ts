/**
 * The one error of the domains. HTTP is rendered from it in one place, `shared/http/problem.ts`.
 *
 * @module
 */
import type { ErrorCode } from './catalog.ts';

/** One field of the request that is wrong: `path` as a caller would write it (`env.A-B`, `storage_config.pvc_size`). */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface AppErrorOptions extends ErrorOptions {
  readonly errors?: readonly FieldError[];
  /** Further members of the problem document (RFC 9457 §3.2), e.g. `{limit: 'sessions', allowed: 5, used: 5, requested: 1}`. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds?: number;
}

export class AppError extends Error {
  readonly code: ErrorCode;
  /** What happened and what to do, for the caller. Never holds a secret or an address of ours. */
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, detail: string, options: AppErrorOptions = {}) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = detail;
    this.errors = options.errors ?? [];
    this.extensions = options.extensions ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
