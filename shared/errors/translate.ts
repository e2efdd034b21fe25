/**
 * Any thrown value as the one error that callers get to see.
 *
 * @module
 */
import { BlobError } from '../blobs/port.ts';
import { StoreError, type StoreErrorCode } from '../documents/port.ts';
import { TaskError } from '../tasks/port.ts';
import { AppError } from './app-error.ts';
import type { ErrorCode } from './catalog.ts';

interface Translation {
  readonly code: ErrorCode;
  readonly detail: string;
}

const internal: Translation = {
  code: 'internal',
  detail: 'An error that nobody expected. Nothing more is known here; the log has the rest.',
};
const changed: Translation = { code: 'conflict', detail: 'What the request is about was changed by another request meanwhile.' };
const storeAway: Translation = {
  code: 'store_unavailable',
  detail: 'The document store could not be reached, or was too busy with the same documents.',
};

// A domain that expects `already_exists` or `conflict` has its own words for it; what arrives here was not expected, only raced.
const storeErrors: Readonly<Record<StoreErrorCode, Translation>> = {
  already_exists: changed,
  conflict: changed,
  contended: storeAway,
  unavailable: storeAway,
  invalid_cursor: { code: 'invalid_cursor', detail: 'The cursor is damaged, or belongs to a list with other filters.' },
  too_large: { code: 'payload_too_large', detail: 'What the request asks to keep is larger than one document may be.' },
  invalid_argument: internal,
};

/** An `AppError` is handed on as it is; the original of any other is in `cause`, for the log. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, detail } = translate(error);
  return new AppError(code, detail, { cause: error });
}

function translate(error: unknown): Translation {
  if (error instanceof StoreError) return storeErrors[error.code];
  if (error instanceof TaskError && error.code === 'unavailable') {
    return { code: 'queue_unavailable', detail: 'The task queue could not be reached.' };
  }
  if (error instanceof BlobError && error.code === 'unavailable') {
    return { code: 'blobs_unavailable', detail: 'The blob store could not be reached.' };
  }
  return internal;
}
