/**
 * `GET /v1/audit`: who did what.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { auditOutcomes, type AuditDocument } from '../../audit/model.ts';
import { bounds, userSchema } from '../../sessions/create-request.ts';
import { json, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { pageQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';

const entrySchema = z
  .object({
    id: z.string(),
    at: z.string().openapi({ format: 'date-time' }),
    by: z.string().openapi({ description: 'The user that the caller is, or acted for; `system` is Berth itself.' }),
    key_id: z.string().nullable(),
    request_id: z.string().nullable(),
    user: z.string().nullable().openapi({ description: 'Whose things it is about.' }),
    action: z.string().openapi({ example: 'session.execute' }),
    target: z.string().nullable().openapi({ example: 'sessions/0c9t5m3x6k8q2w7r4v1n0b5d9f' }),
    outcome: z.enum(auditOutcomes),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .openapi('AuditEntry');

/** Any offset is understood; the store compares texts, so they are brought into one form. */
const instant = z.iso
  .datetime({ offset: true, error: 'must be a time in RFC 3339, such as 2030-01-31T12:00:00Z' })
  .transform((text) => new Date(text).toISOString())
  .openapi({ type: 'string', format: 'date-time' });

const list = createRoute({
  method: 'get',
  path: '/v1/audit',
  operationId: 'listAudit',
  summary: 'Who did what',
  description:
    'Newest first, kept for 90 days. A key of kind `admin` sees everything, one of kind `user` what is about its own user. Entries name things and hold no content: of a command its SHA-256 and length.',
  tags: ['Audit'],
  security,
  request: {
    query: z.strictObject({
      user: userSchema.optional(),
      action: z
        .string()
        .max(64)
        .regex(/^[a-z_]+\.[a-z_]+$/, 'such as session.execute')
        .optional(),
      target: z.string().min(1).max(200).optional(),
      since: instant.optional(),
      until: instant.optional(),
      ...pageQuery,
    }),
  },
  responses: { 200: json(z.object({ entries: z.array(entrySchema), next_cursor: z.string().nullable() }), 'A page.'), ...problems },
});

export const auditRoutes = { list };

export function mountAudit(app: App, services: Services): void {
  app.openapi(list, async (c) => {
    const { limit = bounds.listPage.default, ...given } = c.req.valid('query');
    const filters = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const page = await services.listAudit(callerOf(c), { ...filters, limit });
    return c.json({ entries: page.entries.map(answer), next_cursor: page.nextCursor }, 200);
  });
}

function answer({ purge_at: _purged, ...entry }: AuditDocument): z.output<typeof entrySchema> {
  return { ...entry, detail: { ...entry.detail } };
}
