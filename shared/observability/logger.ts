/**
 * Structured logs: one event per line, never a secret.
 *
 * @module
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Fields of one event; the names are those operators filter by in Cloud Logging. */
export interface LogFields {
  readonly component?: string;
  readonly action?: string;
  readonly user_id?: string;
  readonly session_id?: string;
  readonly request_id?: string;
  readonly duration_ms?: number;
  readonly pod_name?: string;
  readonly node_name?: string;
  readonly error?: unknown;
  readonly [field: string]: unknown;
}

export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** A logger whose events carry these fields too. */
  with(fields: LogFields): Logger;
}
