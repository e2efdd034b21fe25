/**
 * JSON that everything behind can live with.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';

/** No request needs more; code that walks a value by recursion would overflow its stack at some thousands. */
const DEEPEST = 32;

/**
 * Throws `validation_failed` for a value that is no object, is nested too deeply, or holds half a character (`"\ud800"`: valid JSON, but
 * no text that a store or Kubernetes takes).
 */
export function assertPlainJson(value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('must be a JSON object');
  const left: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 1 }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    assertWellFormed(next.value);
    if (typeof next.value !== 'object' || next.value === null) continue;
    if (next.depth > DEEPEST) throw refusal(`must not be nested more than ${String(DEEPEST)} levels deep`);
    for (const [name, item] of Object.entries(next.value)) {
      assertWellFormed(name);
      left.push({ value: item, depth: next.depth + 1 });
    }
  }
}

function assertWellFormed(value: unknown): void {
  if (typeof value === 'string' && !value.isWellFormed()) throw refusal('must not hold half a surrogate pair');
}

function refusal(message: string): AppError {
  return new AppError('validation_failed', `The body ${message}.`, { errors: [{ path: '', message }] });
}
