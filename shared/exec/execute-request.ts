/**
 * The body of `POST /v1/sessions/{id}/execute`, and its answer.
 *
 * @module
 */
import { z } from 'zod';
import { bounds } from '../sessions/create-request.ts';

const text = (bytes: number) =>
  z
    .string()
    .refine((value) => Buffer.byteLength(value) <= bytes, { message: `at most ${bytes} bytes` })
    .refine((value) => !value.includes('\0'), { message: 'cannot hold a NUL character' });

export const executeSchema = z
  .strictObject({
    /** Run by `sh -c`. */
    command: text(bounds.commandBytes).min(1).optional(),
    /** Run as it is, without a shell. */
    argv: z.array(text(bounds.commandBytes)).min(1).max(4096).optional(),
    stdin: z
      .string()
      .refine((value) => Buffer.byteLength(value) <= bounds.stdinBytes, { message: `at most ${bounds.stdinBytes} bytes` })
      .optional(),
    cwd: text(4096).min(1).optional(),
    env: z
      .record(
        z
          .string()
          .max(256)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name of letters, digits and _'),
        text(bounds.envBytes),
      )
      .optional(),
    /** Seconds. */
    timeout: z.number().positive().max(bounds.executionSeconds.largest).optional(),
    async_execution: z.boolean().optional(),
    run_in: z.enum(['job', 'session']).optional(),
  })
  .refine((body) => (body.command === undefined) !== (body.argv === undefined), {
    message: 'give either command or argv',
    path: ['command'],
  })
  .refine((body) => (body.argv ?? []).reduce((sum, part) => sum + Buffer.byteLength(part), 0) <= bounds.commandBytes, {
    message: `at most ${bounds.commandBytes} bytes together`,
    path: ['argv'],
  })
  .refine((body) => Object.keys(body.env ?? {}).length <= bounds.envNames, { message: `at most ${bounds.envNames} names`, path: ['env'] })
  .refine(
    (body) =>
      Object.entries(body.env ?? {}).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0) <=
      bounds.envBytes,
    { message: `at most ${bounds.envBytes} bytes together`, path: ['env'] },
  );

export type ExecuteRequest = z.output<typeof executeSchema>;

/**
 * How an execution ended. `signaled`: by a signal that nobody here sent; `oom_killed`: by the kernel, for the memory of the container;
 * `pod_gone`: with its pod, or its container's restart; `connection_lost`: nobody knows.
 */
export const executionEnds = [
  'exited',
  'signaled',
  'timed_out',
  'cancelled',
  'oom_killed',
  'output_limit',
  'pod_gone',
  'connection_lost',
] as const;
export type ExecutionEnd = (typeof executionEnds)[number];

export interface ExecutionResult {
  /** The command ended by itself with 0. */
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** 128 + signal where a signal ended it; -1 where nobody knows. */
  readonly returncode: number;
  /** stdout, then stderr: the field of the older system. */
  readonly output: string;
  readonly end: ExecutionEnd;
  readonly duration_ms: number;
  readonly truncated: boolean;
  readonly timed_out: boolean;
}
