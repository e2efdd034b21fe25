/**
 * What a caller gets to see of a failure on the way to a running session.
 *
 * @module
 */
import { StoreError } from '../documents/port.ts';
import { translateKubernetesError } from '../kubernetes/errors.ts';
import { TaskError } from '../tasks/port.ts';

/** Errors of store and queue have a translation of their own, where answers are made. */
export function asAppError(error: unknown): Error {
  return error instanceof StoreError || error instanceof TaskError ? error : translateKubernetesError(error);
}
