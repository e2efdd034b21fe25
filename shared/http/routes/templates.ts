/**
 * `/v1/templates`: what a session can be made from.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { AppError } from '../../errors/app-error.ts';
import { bounds, createSessionSchema, resourceTiers } from '../../sessions/create-request.ts';
import { templateDefaults, type Template } from '../../templates/catalog.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { noQuery, pageQuery } from '../parameters.ts';
import { assertKind, callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';

const tags = ['Templates'];
const { image, command: commandSchema, ports, resource_tier: tier, idle_timeout_minutes: idleTimeout } = createSessionSchema.shape;

const templateSchema = z
  .object({
    id: z.string(),
    description: z.string(),
    image: z.string(),
    command: z.array(z.string()).nullable(),
    ports: z.array(z.int()),
    resource_tier: z.enum(resourceTiers),
    start_deadline_seconds: z.number(),
    before_stop: z.array(z.string()).nullable(),
    grace_period_seconds: z.number(),
    idle_timeout_minutes: z.number().nullable(),
    egress: z.enum(['web', 'open']),
    runtime_class: z.string().nullable(),
  })
  .openapi('Template');

/** What create itself takes, under the same rules, and what only a template says. */
const putSchema = z.strictObject({
  description: z
    .string()
    .max(500)
    .regex(/^\P{Cc}*$/u, 'no control characters')
    .optional(),
  image: image.unwrap(),
  command: commandSchema.nullable(),
  ports,
  resource_tier: tier,
  start_deadline_seconds: z.int().min(10).max(3_600).optional(),
  before_stop: commandSchema.nullable(),
  grace_period_seconds: z.int().min(1).max(600).optional(),
  idle_timeout_minutes: idleTimeout.nullable(),
  egress: z.enum(['web', 'open']).optional(),
  runtime_class: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'the name of a RuntimeClass, such as gvisor')
    .nullable()
    .optional(),
});

const idParameter = z.object({
  id: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
    .openapi({ param: { name: 'id', in: 'path' }, description: 'Lower-case letters, digits and dashes, 63 at most.', example: 'postgres' }),
});

const list = createRoute({
  method: 'get',
  path: '/v1/templates',
  operationId: 'listTemplates',
  summary: 'List templates',
  tags,
  security,
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: json(
      z.object({ templates: z.array(templateSchema), next_cursor: z.string().nullable() }),
      'The built-in ones first, then those of this installation.',
    ),
    ...problems,
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/templates/{id}',
  operationId: 'getTemplate',
  summary: 'Read a template',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(templateSchema, 'The template.'), ...problems },
});

const put = createRoute({
  method: 'put',
  path: '/v1/templates/{id}',
  operationId: 'putTemplate',
  summary: 'Create or replace a template',
  description: 'Needs a key of kind `admin`. What is left out has its default; sessions that were made from the template stay as they are.',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { params: idParameter, query: noQuery, ...jsonBody(putSchema.openapi('PutTemplate')) },
  responses: { 200: json(templateSchema, 'It was replaced.'), 201: json(templateSchema, 'It was created.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/templates/{id}',
  operationId: 'deleteTemplate',
  summary: 'Delete a template',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(z.object({ deleted: z.literal(true) }), 'It is gone, or never was.'), ...problems },
});

export const templateRoutes = { list, get, put, remove };

export function mountTemplates(app: App, services: Services): void {
  app.openapi(list, async (c) => {
    const { limit = bounds.listPage.default, cursor } = c.req.valid('query');
    const page = await services.listTemplates(callerOf(c), { limit, ...(cursor === undefined ? {} : { cursor }) });
    return c.json({ templates: page.templates.map(answer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param');
    const template = await services.getTemplate(callerOf(c), id);
    if (template === undefined) throw new AppError('not_found', `There is no template "${id}".`);
    return c.json(answer(template), 200);
  });

  app.openapi(put, async (c) => {
    const caller = callerOf(c);
    assertKind(caller, ['admin'], 'Changing a template');
    const { template, created } = await services.putTemplate(caller, toTemplate(c.req.valid('param').id, c.req.valid('json')));
    return c.json(answer(template), created ? 201 : 200);
  });

  app.openapi(remove, async (c) => {
    const caller = callerOf(c);
    assertKind(caller, ['admin'], 'Deleting a template');
    await services.deleteTemplate(caller, c.req.valid('param').id);
    return c.json({ deleted: true } as const, 200);
  });
}

function toTemplate(id: string, body: z.output<typeof putSchema>): Template {
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
  return {
    ...templateDefaults,
    ...given,
    id,
    image: body.image,
    description: body.description ?? '',
    command: commandLine(body.command),
    before_stop: commandLine(body.before_stop),
  };
}

/** Text is run by a shell, as in create. */
function commandLine(command: string | readonly string[] | null | undefined): readonly string[] | null {
  if (command === undefined || command === null) return null;
  return typeof command === 'string' ? ['sh', '-c', command] : command;
}

function answer(template: Template): z.output<typeof templateSchema> {
  const { command: line, ports: offered, before_stop: beforeStop, ...rest } = template;
  return {
    ...rest,
    command: line === null ? null : [...line],
    ports: [...offered],
    before_stop: beforeStop === null ? null : [...beforeStop],
  };
}
