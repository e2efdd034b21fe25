/**
 * One event as Cloud Logging reads it from standard output.
 * https://cloud.google.com/logging/docs/structured-logging#structured_logging_special_fields
 *
 * @module
 */
import type { LogEvent } from './create-logger.ts';
import { describeError } from './describe-error.ts';
import type { LogLevel } from './logger.ts';

const severities: Readonly<Record<LogLevel, string>> = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' };

/** `trace` and `span` of the fields become the special ones; Error Reporting finds errors by `stack_trace`. */
export function formatJson(event: LogEvent, project?: string): string {
  const { trace, span, ...fields } = event.fields;
  const line = {
    severity: severities[event.level],
    time: event.time.toISOString(),
    message: event.message,
    ...fields,
    ...(typeof trace === 'string'
      ? { 'logging.googleapis.com/trace': project === undefined ? trace : `projects/${project}/traces/${trace}` }
      : {}),
    ...(span === undefined ? {} : { 'logging.googleapis.com/spanId': span }),
    ...errorFields(event.error),
  };
  return `${JSON.stringify(line)}\n`;
}

function errorFields(error: unknown): object {
  if (error === undefined) return {};
  const { name, message, code, stack } = describeError(error);
  return { error: { name, message, ...(code === undefined ? {} : { code }) }, stack_trace: stack };
}
