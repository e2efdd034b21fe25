/**
 * The routes of a session's life: what they ask of the services, what they refuse, what they answer.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import type { Services } from '../../shared/http/services.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { execution, fakeServices } from '../fakes/services.ts';
import { sessionDocument } from '../fakes/session-document.ts';

const { id } = sessionDocument();
const replaced: Partial<Services> = {};
const { services: plausible } = fakeServices();
const { services, calls } = fakeServices({
  ensureAnchored: (...given) => ({ ...plausible, ...replaced }).ensureAnchored(...given),
});
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, services), { BERTH_PUBLIC_URL: 'https://berth.example/' });
  key = await server.newKey('user', 'alice');
});
afterAll(async () => server.stop());
beforeEach(() => {
  calls.length = 0;
  for (const name of Object.keys(replaced) as (keyof Services)[]) delete replaced[name];
});

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${server.origin}${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function problemOf(response: Response): Promise<{ status: number; code: string; paths: string[] }> {
  const { code, errors = [] } = (await response.json()) as { code: string; errors?: { path: string }[] };
  return { status: response.status, code, paths: [...new Set(errors.map(({ path }) => path))] };
}

describe('a session', () => {
  for (const verb of ['stop', 'start', 'restart'] as const) {
    it(`takes ${verb} with the time to wait, 100 seconds where nothing is said, and answers itself`, async () => {
      const response = await call('POST', `/v1/sessions/${id}/${verb}?wait=7`);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ id, status: verb === 'stop' ? 'stopped' : 'running' });
      await call('POST', `/v1/sessions/${id}/${verb}`, {});
      expect(calls).toMatchObject([
        { name: `${verb}Session`, arguments: [{ user: 'alice' }, id, { waitSeconds: 7 }] },
        { name: `${verb}Session`, arguments: [{ user: 'alice' }, id, { waitSeconds: 100 }] },
      ]);
    });
  }

  it('refuses a wait that nobody can wait', async () => {
    expect(await problemOf(await call('POST', `/v1/sessions/${id}/stop?wait=101`))).toEqual({
      status: 422,
      code: 'validation_failed',
      paths: ['wait'],
    });
  });

  it('is changed in what the body names, and in nothing else', async () => {
    const body = { ttl_minutes: 5, idle_timeout_minutes: null, labels: { a: null, b: '1' }, name: 'new' };
    const response = await call('PATCH', `/v1/sessions/${id}`, body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ ttl_minutes: 5, idle_timeout_minutes: null, name: 'new' });
    await call('PATCH', `/v1/sessions/${id}`, { name: null });
    expect(calls.map(({ arguments: given }) => given[2])).toEqual([body, { name: null }]);
  });

  const bad: readonly (readonly [object, string])[] = [
    [{ ttl_minutes: 0 }, 'ttl_minutes'],
    [{ ttl_minutes: null }, 'ttl_minutes'],
    [{ ttl_minutes: 1.5 }, 'ttl_minutes'],
    [{ idle_timeout_minutes: -1 }, 'idle_timeout_minutes'],
    [{ name: '' }, 'name'],
    [{ labels: { 'no good': 'x' } }, 'labels.no good'],
    [{ labels: null }, 'labels'],
    [{ image: 'python' }, 'image'],
  ];
  for (const [body, path] of bad) {
    it(`refuses ${JSON.stringify(body)} naming ${path}`, async () => {
      expect(await problemOf(await call('PATCH', `/v1/sessions/${id}`, body))).toEqual({
        status: 422,
        code: 'validation_failed',
        paths: [path],
      });
      expect(calls).toEqual([]);
    });
  }

  it('is deleted with or without its data, as the query says', async () => {
    for (const query of ['', '?preserve_data=true', '?preserve_data=false']) await call('DELETE', `/v1/sessions/${id}${query}`);
    expect(calls.map(({ arguments: given }) => given[2])).toEqual([{}, { preserveData: true }, { preserveData: false }]);
  });

  it('tells where its ports are reached, the first one as access_url', async () => {
    replaced.ensureAnchored = () =>
      Promise.resolve({ session: sessionDocument({ spec: { ...sessionDocument().spec, ports: [8080, 9090] } }), created: false });
    expect(await (await call('PUT', '/v1/projects/p/session', {})).json()).toMatchObject({
      access_url: `https://berth.example/v1/sessions/${id}/ports/8080/`,
      ports: [
        { port: 8080, url: `https://berth.example/v1/sessions/${id}/ports/8080/` },
        { port: 9090, url: `https://berth.example/v1/sessions/${id}/ports/9090/` },
      ],
    });
  });
});

for (const kind of ['project', 'conversation'] as const) {
  describe(`a ${kind}`, () => {
    const path = `/v1/${kind}s/${encodeURIComponent('a b/ü')}/session`;
    const anchor = { kind, id: 'a b/ü' };

    it('gets or makes its session from the body of a create: 201 with its place where it is new, 200 where it was there', async () => {
      const made = await call('PUT', `${path}?wait=3&recreate=true`, { image: 'node:24', ports: [80] });
      expect(made.status).toBe(201);
      expect(made.headers.get('location')).toBe(`/v1/sessions/${id}`);
      expect(await made.json()).toMatchObject({ [`${kind}_id`]: 'a b/ü' });
      replaced.ensureAnchored = () => Promise.resolve({ session: sessionDocument(), created: false });
      const found = await call('PUT', path);
      expect(found.status).toBe(200);
      expect(found.headers.get('location')).toBeNull();
      expect(calls).toMatchObject([
        { arguments: [{ user: 'alice' }, anchor, { image: 'node:24', ports: [80] }, { waitSeconds: 3, recreate: true }] },
        { arguments: [{ user: 'alice' }, anchor, {}, { waitSeconds: 100, recreate: false }] },
      ]);
    });

    it('reads its session, runs a command in it, and ends it with its data kept unless told otherwise', async () => {
      expect((await call('GET', path)).status).toBe(200);
      expect(await (await call('POST', `${path}/execute`, { command: 'echo hi' })).json()).toEqual(execution);
      expect(await (await call('DELETE', path)).json()).toEqual({ deleted: true, status: 'terminating' });
      await call('DELETE', `${path}?preserve_data=false`);
      expect(calls).toMatchObject([
        { name: 'getAnchored', arguments: [{}, anchor] },
        { name: 'getAnchored', arguments: [{}, anchor] },
        { name: 'execute', arguments: [{}, id, { command: 'echo hi' }, {}] },
        { name: 'deleteAnchored', arguments: [{}, anchor, { preserveData: true }] },
        { name: 'deleteAnchored', arguments: [{}, anchor, { preserveData: false }] },
      ]);
    });

    it('refuses a body that a create would refuse, and knows no id that is no text', async () => {
      expect(await problemOf(await call('PUT', path, { ports: ['http'] }))).toMatchObject({ status: 422, paths: ['ports[0]'] });
      expect((await problemOf(await call('GET', `/v1/${kind}s/a%00b/session`))).status).toBe(404);
      expect(calls).toEqual([]);
    });
  });
}
