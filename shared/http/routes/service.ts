/**
 * What is not about sessions: the front page, health, metrics.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { channelKinds } from '../../helper/model.ts';
import { json, problems, security } from '../answers.ts';
import type { App, AppDeps } from '../create-app.ts';
import { assertKind, callerOf } from '../require-caller.ts';
import type { Readiness, Services } from '../services.ts';
import { version } from '../version.ts';

const tags = ['Service'];

const front = createRoute({
  method: 'get',
  path: '/',
  operationId: 'getFront',
  summary: 'What this is, and where to go',
  tags,
  responses: {
    200: json(z.object({ name: z.literal('berth'), version: z.string(), links: z.record(z.string(), z.string()) }), 'Links.'),
  },
});

const liveness = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getLiveness',
  summary: 'Whether the process answers',
  tags,
  responses: { 200: json(z.object({ status: z.literal('ok') }), 'It does.') },
});

const health = createRoute({
  method: 'get',
  path: '/health',
  operationId: 'getHealth',
  summary: 'As the older system answered it',
  tags,
  responses: {
    200: json(
      z.object({ status: z.literal('healthy'), service: z.literal('berth'), version: z.string(), timestamp: z.string() }),
      'The process answers.',
    ),
  },
});

const readinessSchema = z
  .object({
    ready: z.boolean(),
    checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() })),
    channel: z
      .object({ mode: z.enum(['auto', ...channelKinds]), open: z.int() })
      .openapi({ description: 'How pods are reached, and how many this instance has a connection to.' }),
    warnings: z.array(z.string()),
  })
  .openapi('Readiness');

const readiness = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'getReadiness',
  summary: 'Whether store, queue and cluster can be reached',
  tags,
  responses: { 200: json(readinessSchema, 'All of them.'), 503: json(readinessSchema, 'Not all of them.') },
});

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  summary: "This instance's counters in Prometheus' format",
  description: 'Needs a key of kind `admin` or `service`.',
  tags,
  security,
  responses: { 200: { description: 'Metrics.', content: { 'text/plain': { schema: z.string() } } }, ...problems },
});

export const serviceRoutes = { front, liveness, health, readiness, metrics };

/** Anybody may ask for readiness, so a flood of questions makes at most one check a second. */
const READINESS_MS = 1_000;

export function mountService(app: App, deps: AppDeps, services: Pick<Services, 'readiness'>): void {
  const links: Record<string, string> = {
    api: '/v1',
    openapi: '/openapi.json',
    ...(deps.config.docs ? { docs: '/docs' } : {}),
    health: '/healthz',
    readiness: '/readyz',
    metrics: '/metrics',
  };
  const check = atMostEvery(
    READINESS_MS,
    () => services.readiness(),
    () => deps.clock.now().getTime(),
  );

  app.openapi(front, (c) => c.json({ name: 'berth', version, links } as const, 200));
  app.openapi(liveness, (c) => c.json({ status: 'ok' } as const, 200));
  app.openapi(health, (c) =>
    c.json({ status: 'healthy', service: 'berth', version, timestamp: deps.clock.now().toISOString() } as const, 200),
  );
  app.openapi(readiness, async (c) => {
    const { ready, checks, channel, warnings } = await check();
    return c.json({ ready, checks, channel, warnings: [...warnings] }, ready ? 200 : 503);
  });
  app.openapi(metrics, async (c) => {
    assertKind(callerOf(c), ['admin', 'service'], 'Reading metrics');
    const { contentType, body } = await deps.metrics.render();
    return c.text(body, 200, { 'Content-Type': contentType });
  });
}

function atMostEvery(milliseconds: number, ask: () => Promise<Readiness>, now: () => number): () => Promise<Readiness> {
  let last: { readonly at: number; readonly answer: Promise<Readiness> } | undefined;
  return () => {
    if (last === undefined || now() - last.at >= milliseconds) last = { at: now(), answer: ask() };
    return last.answer;
  };
}
