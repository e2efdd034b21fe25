/**
 * A session's document, wherever it comes from, as those see it who follow its changes.
 *
 * @module
 */
import { z } from 'zod';
import { sessionStatuses } from '../sessions/model.ts';
import { parseQuantity } from '../templates/quantities.ts';
import type { SessionState } from './model.ts';

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), { message: 'not a time' });

const quantity = z.string().refine(
  (text) => {
    try {
      return Number.isFinite(parseQuantity(text));
    } catch {
      return false;
    }
  },
  { message: 'not a quantity' },
);

/** What is not named here is left out: a state is small enough for a task. */
const sessionStateSchema = z.object({
  id: z.string().min(1),
  user: z.string().min(1),
  namespace: z.string(),
  name: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  workspace_id: z.string().nullable(),
  project_id: z.string().nullable(),
  conversation_id: z.string().nullable(),
  template: z.string(),
  status: z.enum(sessionStatuses),
  reason: z.string().nullable(),
  generation: z.int().min(1),
  spec: z.object({ resources: z.object({ cpu_requests: quantity }) }),
  created_at: time,
  updated_at: time,
  started_at: time.nullable(),
  terminated_at: time.nullable(),
  last_change: z.object({ by: z.string(), key_id: z.string().nullable(), request_id: z.string().nullable() }),
});

/** `undefined` where it is no session's document. */
export function toSessionState(document: unknown): SessionState | undefined {
  const parsed = sessionStateSchema.safeParse(document);
  return parsed.success ? parsed.data : undefined;
}
