/**
 * Every answer and event of the helper as a schema (helper/PROTOCOL.md). What the helper says is untrusted, so nothing of it goes
 * further but through one of these: numbers are finite and not negative, texts bounded, words from a list. Members that are not
 * listed are left out.
 *
 * @module
 */
import { z } from 'zod';

/** The number of the protocol that this control plane speaks best. */
export const PROTOCOL = 3;
/** The oldest helper that is still served. */
export const OLDEST_PROTOCOL = PROTOCOL - 2;

const count = z.int().nonnegative();
const text = (characters: number) => z.string().max(characters);
const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const time = z.iso.datetime().max(40);
const exitCode = z.int().min(-1).max(255);
const signalName = z.string().regex(/^[A-Z0-9+-]{1,16}$/);
const message = text(2_000)
  .nullish()
  .transform((value) => value ?? null);

export const healthSchema = z.object({
  protocol: count,
  version: text(100),
  started_at: time,
  pid: count,
  boot_id: z.string().min(1).max(100),
});
export type Health = z.output<typeof healthSchema>;

export const statsSchema = z.object({
  cpu_ms: z.number().nonnegative(),
  memory_bytes: count,
  memory_limit_bytes: count.nullable(),
  processes: count,
  oom_kills: count.nullable(),
  helper: z.object({ memory_bytes: count, goroutines: count, descriptors: count }),
  executions: count,
  terminals: count,
  jobs: count,
  connections: count,
  last_activity_at: time,
  disk_bytes: count,
});
export type HelperStats = z.output<typeof statsSchema>;

export const executionEnds = ['exited', 'signaled', 'timed_out', 'cancelled', 'oom_killed', 'output_limit', 'connection_lost'] as const;

const started = z.object({ event: z.literal('started'), pid: count });
const executionEnd = z.object({
  event: z.literal('end'),
  end: z.enum(executionEnds),
  exit_code: exitCode,
  signal: signalName.nullish().transform((value) => value ?? null),
  duration_ms: z.number().nonnegative(),
  stdout_bytes: count,
  stderr_bytes: count,
  message,
});
export const executionEventSchema = z.discriminatedUnion('event', [started, executionEnd]);
export type ExecutionEvent = z.output<typeof executionEventSchema>;
export type ExecutionEnd = z.output<typeof executionEnd>;

export const terminalMadeSchema = z.object({ id, pid: count });
export const terminalSchema = z.object({
  id,
  pid: count,
  offset: count,
  oldest_offset: count,
  exit_code: exitCode.nullable(),
  signal: signalName.nullable(),
  ended_at: time.nullable(),
  detached_since: time.nullable(),
  readers: count,
  cols: count.max(65_535),
  rows: count.max(65_535),
});
export type TerminalStatus = z.output<typeof terminalSchema>;
export const terminalsSchema = z.object({ terminals: z.array(terminalSchema).max(100) });

const mode = z.enum(['write', 'read']);
export type AttachMode = z.output<typeof mode>;
export const terminalEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready'), offset: count, mode, from: count }),
  z.object({ event: z.literal('gap'), from: count, to: count }),
  z.object({ event: z.literal('role'), mode }),
  z.object({
    event: z.literal('end'),
    exit_code: exitCode.nullable(),
    signal: signalName.nullable(),
    reason: z.enum(['exited', 'ended', 'detached_too_long']),
  }),
]);
export type TerminalEvent = z.output<typeof terminalEventSchema>;

export const jobEnds = [...executionEnds, 'deadline', 'pod_restarted'] as const;
export const jobSchema = z.object({
  id,
  status: z.enum(['running', 'ended']),
  end: z.enum(jobEnds).nullable(),
  exit_code: exitCode.nullable(),
  signal: signalName.nullable(),
  started_at: time,
  ended_at: time.nullable(),
  stdout_bytes: count,
  stderr_bytes: count,
  oom_killed: z.boolean(),
  message,
});
export type JobStatus = z.output<typeof jobSchema>;
export const jobsSchema = z.object({ jobs: z.array(jobSchema).max(10_000) });

/** A name is what Linux calls one: at most 255 bytes, never a path. Each byte may have become a replacement character. */
const fileName = z
  .string()
  .max(255)
  .refine((value) => !value.includes('/') && !value.includes('\0'));
export const fileSchema = z.object({
  name: fileName,
  /** Where the name is not UTF-8. */
  name_base64: z.base64().max(340).optional(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: count,
  mode: count.max(0o7777),
  mtime_ms: z.number(),
  uid: count,
  gid: count,
  target: text(4_096)
    .nullish()
    .transform((value) => value ?? null),
});
export type FileEntry = z.output<typeof fileSchema>;
export const MOST_ENTRIES = 1_000;
export const fileListSchema = z.object({ entries: z.array(fileSchema).max(MOST_ENTRIES), next: text(4_096).nullable() });
export type FileList = z.output<typeof fileListSchema>;

export const sha256Schema = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: count });
export const uploadSchema = z.object({ offset: count });
export const writtenSchema = z.object({ offset: count, committed: z.boolean() });
export const unpackedSchema = z.object({ entries: count, bytes: count });
