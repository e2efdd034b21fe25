/**
 * Templates of an installation's own, by their routes and in what a session is made from.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServices } from '../../shared/create-services.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { createSessionSchema } from '../../shared/sessions/create-request.ts';
import { resolveRequest } from '../../shared/sessions/resolve-request.ts';
import { builtInTemplates } from '../../shared/templates/catalog.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { depsOf } from '../fakes/store-deps.ts';

let server: TestServer;
let admin: string;
let user: string;
beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, createServices(depsOf(deps))));
  admin = await server.newKey('admin', null);
  user = await server.newKey('user', 'alice');
});
afterAll(async () => server.stop());

function call(key: string, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${server.origin}/v1/templates${path}`, {
    method,
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const whole = {
  description: 'PostgreSQL with its data on the workspace',
  image: 'postgres:17',
  command: 'exec docker-entrypoint.sh postgres',
  ports: [5432],
  resource_tier: 'medium',
  start_deadline_seconds: 120,
  before_stop: ['pg_ctl', 'stop'],
  grace_period_seconds: 30,
  idle_timeout_minutes: 15,
  egress: 'open',
  runtime_class: 'gvisor',
};
const answered = { ...whole, command: ['sh', '-c', whole.command] };

describe('a template', () => {
  it('is created, read by everybody, replaced and deleted', async () => {
    const created = await call(admin, 'PUT', '/postgres', whole);
    expect([created.status, await created.json()]).toEqual([201, { id: 'postgres', ...answered }]);
    expect(await (await call(user, 'GET', '/postgres')).json()).toEqual({ id: 'postgres', ...answered });
    const replaced = await call(admin, 'PUT', '/postgres', { image: 'postgres:18' });
    expect(replaced.status).toBe(200);
    expect(await replaced.json()).toMatchObject({ image: 'postgres:18', command: null, ports: [], resource_tier: 'small', egress: 'web' });
    expect((await call(admin, 'DELETE', '/postgres')).status).toBe(200);
    expect((await call(admin, 'DELETE', '/postgres')).status).toBe(200);
    expect((await call(user, 'GET', '/postgres')).status).toBe(404);
  });

  it('is changed by admins alone', async () => {
    const service = await server.newKey('service', null);
    for (const key of [user, service]) {
      expect((await call(key, 'PUT', '/mine', whole)).status).toBe(403);
      expect((await call(key, 'DELETE', '/mine')).status).toBe(403);
    }
    expect((await call(user, 'GET', '/mine')).status).toBe(404);
  });

  it('that is built in stays as it is', async () => {
    for (const { id } of builtInTemplates) {
      const put = await call(admin, 'PUT', `/${id}`, whole);
      expect([put.status, ((await put.json()) as { code: string }).code]).toEqual([409, 'built_in_template']);
      expect((await call(admin, 'DELETE', `/${id}`)).status).toBe(409);
    }
    expect(await (await call(user, 'GET', '/python')).json()).toMatchObject({ image: 'python:3.11-slim' });
  });

  it.each([
    ['image', { ...whole, image: undefined }],
    ['image', { ...whole, image: 'no image at all' }],
    ['ports[0]', { ...whole, ports: [0] }],
    ['resource_tier', { ...whole, resource_tier: 'huge' }],
    ['start_deadline_seconds', { ...whole, start_deadline_seconds: 1 }],
    ['grace_period_seconds', { ...whole, grace_period_seconds: 0 }],
    ['idle_timeout_minutes', { ...whole, idle_timeout_minutes: 0.5 }],
    ['egress', { ...whole, egress: 'everything' }],
    ['runtime_class', { ...whole, runtime_class: 'G Visor' }],
    ['before_stop', { ...whole, before_stop: [] }],
    ['privileged', { ...whole, privileged: true }],
  ])('is refused with the path %s where that is wrong', async (path, body) => {
    const response = await call(admin, 'PUT', '/wrong', body);
    expect(response.status).toBe(422);
    expect(((await response.json()) as { errors: { path: string }[] }).errors.map((error) => error.path)).toContain(path);
  });

  it('has an id that fits a label', async () => {
    for (const id of ['UPPER', 'a_b', '-a', 'a'.repeat(64)]) expect((await call(admin, 'PUT', `/${id}`, whole)).status).toBe(404);
  });
});

describe('the list of templates', () => {
  it('has the built-in ones first, then the others, and pages over both without one lost or told twice', async () => {
    const own = ['a1', 'b2', 'zz'];
    for (const id of own) expect((await call(admin, 'PUT', `/${id}`, whole)).status).toBe(201);
    const expected = [...builtInTemplates.map(({ id }) => id), ...own];
    for (const limit of [1, 2, 5, 6, 100]) {
      const seen: string[] = [];
      let next: string | null = null;
      do {
        const cursor: string = next === null ? '' : `&cursor=${encodeURIComponent(next)}`;
        const page = (await (await call(user, 'GET', `?limit=${limit}${cursor}`)).json()) as {
          templates: { id: string }[];
          next_cursor: string | null;
        };
        expect(page.templates.length).toBeLessThanOrEqual(limit);
        seen.push(...page.templates.map(({ id }) => id));
        next = page.next_cursor;
      } while (next !== null);
      expect(seen).toEqual(expected);
    }
    expect((await call(user, 'GET', '?cursor=nonsense')).status).toBe(400);
    for (const id of own) await call(admin, 'DELETE', `/${id}`);
  });
});

describe('a session of a template', () => {
  const resolve = (body: object) => resolveRequest(server.deps, createSessionSchema.parse(body));

  it('takes everything from it that the request leaves open', async () => {
    await call(admin, 'PUT', '/postgres', whole);
    const { spec, template, resourceTier, idleTimeoutMinutes } = await resolve({ template: 'postgres' });
    expect({ template, resourceTier, idleTimeoutMinutes }).toEqual({
      template: 'postgres',
      resourceTier: 'medium',
      idleTimeoutMinutes: 15,
    });
    expect(spec).toMatchObject({
      image: 'postgres:17',
      command: ['sh', '-c', whole.command],
      ports: [5432],
      before_stop: ['pg_ctl', 'stop'],
      grace_period_seconds: 30,
      start_deadline_seconds: 120,
      egress: 'open',
      runtime_class: 'gvisor',
      resources: { cpu_requests: '500m' },
    });
  });

  it('has what the request says in its place', async () => {
    const request = {
      template: 'postgres',
      image: 'alpine:3.20',
      command: ['sleep', '9'],
      ports: [80],
      resource_tier: 'small',
      idle_timeout_minutes: 3,
    };
    const { spec, idleTimeoutMinutes } = await resolve(request);
    expect(spec).toMatchObject({ image: 'alpine:3.20', command: ['sleep', '9'], ports: [80], resources: { cpu_requests: '250m' } });
    expect(idleTimeoutMinutes).toBe(3);
  });

  it('cannot be made where there is no such template', async () => {
    await expect(resolve({ template: 'nothing' })).rejects.toMatchObject({ code: 'unknown_template' });
    await expect(resolve({ template: '../users/root' })).rejects.toMatchObject({ code: 'unknown_template' });
  });
});
