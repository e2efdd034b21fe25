/**
 * What the helper answers instead of a result, as the errors that callers get to see.
 *
 * What a helper says is untrusted: of its words only a known code and a short printable detail go further.
 *
 * @module
 */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/catalog.ts';
import { readBounded } from './bounded.ts';

/** The codes of `helper/PROTOCOL.md`. */
const problemCodes = [
  'bad_request',
  'not_found',
  'conflict',
  'exists',
  'not_empty',
  'is_directory',
  'not_directory',
  'not_regular',
  'gone',
  'too_large',
  'too_many',
  'denied',
  'no_space',
  'refused',
  'internal',
] as const;
export type ProblemCode = (typeof problemCodes)[number];

const meanings: Readonly<Record<ProblemCode, { readonly code: ErrorCode; readonly words: string }>> = {
  bad_request: { code: 'bad_request', words: 'The helper in the pod refused the request' },
  not_found: { code: 'not_found', words: 'It does not exist in the pod' },
  conflict: { code: 'conflict', words: 'It is in the way of something else in the pod' },
  exists: { code: 'conflict', words: 'It exists already' },
  not_empty: { code: 'conflict', words: 'The directory is not empty' },
  is_directory: { code: 'conflict', words: 'It is a directory' },
  not_directory: { code: 'conflict', words: 'It is not a directory' },
  not_regular: { code: 'conflict', words: 'It is no regular file' },
  gone: { code: 'not_found', words: 'The output asked for is no longer kept' },
  too_large: { code: 'payload_too_large', words: 'It is more than the helper in the pod takes' },
  too_many: { code: 'too_many_executions', words: 'Too much runs in this session already' },
  denied: { code: 'forbidden', words: "The session's user may not do this in the pod" },
  no_space: { code: 'payload_too_large', words: 'No space is left in the pod' },
  refused: { code: 'not_found', words: 'Nothing in the pod listens on this port' },
  internal: { code: 'helper_protocol_error', words: 'The helper in the pod failed' },
};

const LARGEST_PROBLEM = 16 * 1024;
const LONGEST_DETAIL = 500;
const problemSchema = z.object({
  // A newer helper may tell more finely what its status says roughly.
  code: z.enum(problemCodes).optional().catch(undefined),
  detail: z.string().optional(),
});
const byStatus: Readonly<Record<number, ProblemCode>> = {
  400: 'bad_request',
  403: 'denied',
  404: 'not_found',
  409: 'conflict',
  410: 'gone',
  413: 'too_large',
  429: 'too_many',
  500: 'internal',
  502: 'refused',
  507: 'no_space',
};

/** The helper's own word for what is wrong; in `cause` of the `AppError` that tells it. */
export class HelperProblem extends Error {
  readonly status: number;
  readonly problem: ProblemCode;

  constructor(status: number, problem: ProblemCode) {
    super(`${String(status)} ${problem}`);
    this.name = 'HelperProblem';
    this.status = status;
    this.problem = problem;
  }
}

/** What the helper said, where the error is one of its answers. */
export function problemOf(error: unknown): ProblemCode | undefined {
  return error instanceof AppError && error.cause instanceof HelperProblem ? error.cause.problem : undefined;
}

export function protocolError(detail: string, cause?: unknown): AppError {
  return new AppError('helper_protocol_error', detail, cause === undefined ? {} : { cause });
}

export function connectionLost(detail: string, cause?: unknown): AppError {
  return new AppError('helper_connection_lost', detail, cause === undefined ? {} : { cause });
}

export function isConnectionLost(error: unknown): boolean {
  return error instanceof AppError && error.code === 'helper_connection_lost';
}

/** Reads an answer outside 2xx to its end, 16 KiB at most. Throws `AppError` where it is no problem of the protocol. */
export async function readProblem(status: number, body: Readable): Promise<AppError> {
  const text = await readBounded(body, LARGEST_PROBLEM);
  return problemError(status, text.toString());
}

/** The error for an answer of this status whose body says this. */
export function problemError(status: number, text: string): AppError {
  const parsed = problemSchema.safeParse(parseJson(text));
  const problem = parsed.data?.code ?? byStatus[status];
  if (!parsed.success || problem === undefined || status < 400) {
    return protocolError(`The helper in the pod answered ${String(status)} without saying why.`, parsed.error);
  }
  const { detail = '' } = parsed.data;
  const { code, words } = meanings[problem];
  const said = printable(detail);
  const cause = new HelperProblem(status, problem);
  return new AppError(code, said === '' ? `${words}.` : `${words}: ${said}`, { cause, extensions: { reason: problem } });
}

/** Any text from a pod as one line that no terminal and no log acts on. */
export function printable(text: string): string {
  return text
    .slice(0, 2 * LONGEST_DETAIL)
    .replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ')
    .trim()
    .slice(0, LONGEST_DETAIL)
    .toWellFormed();
}

/** `undefined` where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
