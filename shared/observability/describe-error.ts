/**
 * An error and what caused it, as text that is safe to log.
 *
 * @module
 */
import { redactText } from './redact.ts';

export interface ErrorDescription {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  /** With the stacks of its causes, five at most. */
  readonly stack: string;
}

const MOST_CAUSES = 5;

export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) {
    const message = redactText(String(error));
    return { name: typeof error, message, code: undefined, stack: message };
  }
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? String(error.code) : undefined;
  return { name: error.name, message: redactText(error.message), code, stack: redactText(stackWithCauses(error)) };
}

function stackWithCauses(error: Error): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current instanceof Error && parts.length <= MOST_CAUSES) {
    parts.push(current.stack ?? `${current.name}: ${current.message}`);
    current = current.cause;
  }
  return parts.join('\ncaused by: ');
}
