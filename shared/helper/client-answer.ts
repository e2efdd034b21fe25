/**
 * Answers in JSON, bounded and through a schema.
 *
 * @module
 */
import type { z } from 'zod';
import { readBounded } from './bounded.ts';
import { parseJson, protocolError, readProblem } from './errors.ts';
import type { HelperResponse } from './port.ts';

const LARGEST_ANSWER = 64 * 1024;

/** Throws `AppError`: what the helper says is wrong, or `helper_protocol_error` where the answer is not what the schema says. */
export async function readJson<T>(response: HelperResponse, schema: z.ZodType<T>, mostBytes = LARGEST_ANSWER): Promise<T> {
  await refuseProblem(response);
  const body = await readBounded(response.body, mostBytes);
  const parsed = schema.safeParse(parseJson(body.toString()));
  if (!parsed.success) throw protocolError('The helper answered something else than was asked for.', parsed.error);
  return parsed.data;
}

/** For answers that say nothing but that it is done. */
export async function readNothing(response: HelperResponse): Promise<void> {
  await refuseProblem(response);
  await readBounded(response.body, LARGEST_ANSWER);
}

/** Throws what an answer outside 2xx says; reads nothing of any other. */
export async function refuseProblem(response: HelperResponse): Promise<void> {
  if (response.status < 200 || response.status > 299) throw await readProblem(response.status, response.body);
}

/** A header that is a whole number, not negative where `pattern` does not allow it. Throws `AppError` `helper_protocol_error`. */
export function numberHeader(response: HelperResponse, name: string, pattern = /^\d{1,15}$/, radix = 10): number {
  const value = response.headers[name] ?? '';
  if (!pattern.test(value)) throw protocolError(`The helper's answer has no ${name}.`);
  return Number.parseInt(value, radix);
}
