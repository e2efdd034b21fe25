/**
 * What Firestore's errors mean for a write (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
 *
 * @module
 */
import { StoreError } from './port.ts';

const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
/** NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED: a precondition did not hold. */
const CONFLICT = new Set([5, 6, 9, 10]);
/** CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE: may have been carried out all the same. */
const AMBIGUOUS = new Set([1, 2, 4, 8, 13, 14]);

export type Failure = 'conflict' | 'ambiguous' | 'final';

function grpcCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

export function classify(error: unknown): Failure {
  const code = grpcCode(error);
  if (code === undefined) return 'final';
  if (CONFLICT.has(code)) return 'conflict';
  return AMBIGUOUS.has(code) ? 'ambiguous' : 'final';
}

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = grpcCode(error) === INVALID_ARGUMENT ? 'invalid_argument' : 'unavailable';
  return new StoreError(code, `Firestore: ${message}`, { cause: error });
}

/** The call's answer, or an error of DEADLINE_EXCEEDED: the library itself waits for minutes. */
export async function withTimeout<R>(call: Promise<R>, timeoutMs: number): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: DEADLINE_EXCEEDED })), timeoutMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
