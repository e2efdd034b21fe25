import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../shared/errors/app-error.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import type { Services } from '../../shared/http/services.ts';
import { execution, fakeServices } from '../fakes/services.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { sessionDocument } from '../fakes/session-document.ts';

const { id } = sessionDocument();
const replaced: Partial<Services> = {};
const { services: plausible } = fakeServices();
const { services, calls } = fakeServices({
  createSession: (...given) => ({ ...plausible, ...replaced }).createSession(...given),
  execute: (...given) => ({ ...plausible, ...replaced }).execute(...given),
  readiness: () => ({ ...plausible, ...replaced }).readiness(),
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

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.origin}${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

describe('sessions', () => {
  it('are created with 201, a Location and an absolute URL of the command protocol', async () => {
    const response = await call('POST', '/v1/sessions', { labels: { team: 'a' } });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v1/sessions/${id}`);
    expect(response.headers.get('idempotency-replayed')).toBeNull();
    const { websocket } = (await response.json()) as { websocket: string };
    expect(websocket).toBe(`wss://berth.example/v1/gke/shell/${id}?k8s_ns=berth-u-alice&pod=berth-${id}`);
  });

  it('are created as the caller, with the wait and the key of the request', async () => {
    await call('POST', '/v1/sessions?wait=7', { template: 'node' }, { 'idempotency-key': 'once', 'x-request-id': 'req-1' });
    expect(calls).toMatchObject([
      {
        name: 'createSession',
        arguments: [{ kind: 'user', user: 'alice', requestId: 'req-1' }, { template: 'node' }, { waitSeconds: 7, idempotencyKey: 'once' }],
      },
    ]);
  });

  it('wait 100 seconds where nothing is said, and take an empty body', async () => {
    const response = await fetch(`${server.origin}/v1/sessions`, { method: 'POST', headers: { 'x-api-key': key } });
    expect(response.status).toBe(201);
    expect(calls).toMatchObject([{ name: 'createSession', arguments: [{}, {}, { waitSeconds: 100 }] }]);
  });

  it('say when an answer is a repeated one', async () => {
    replaced.createSession = () => Promise.resolve({ session: sessionDocument(), replayed: true });
    const response = await call('POST', '/v1/sessions', {}, { 'idempotency-key': 'k' });
    expect(response.status).toBe(201);
    expect(response.headers.get('idempotency-replayed')).toBe('true');
  });

  it('are filtered by every filter and by several labels', async () => {
    const query =
      'namespace=n&user=alice&status=running&project_id=p&workspace_id=w&template=node&label=team:a&label=url:http://x&limit=2&cursor=c';
    await call('GET', `/v1/sessions?${query}`);
    expect(calls).toMatchObject([
      {
        name: 'listSessions',
        arguments: [
          { user: 'alice' },
          {
            namespace: 'n',
            user: 'alice',
            status: 'running',
            project_id: 'p',
            workspace_id: 'w',
            template: 'node',
            labels: { team: 'a', url: 'http://x' },
            limit: 2,
            cursor: 'c',
          },
        ],
      },
    ]);
  });

  it('are listed fifty at a time where nothing is said', async () => {
    await call('GET', '/v1/sessions');
    expect(calls[0]?.arguments[1]).toEqual({ labels: {}, limit: 50 });
  });

  it('give their logs as plain text that no browser runs', async () => {
    const response = await call('GET', `/v1/sessions/${id}/logs?tail_lines=5&previous=true`);
    expect(await response.text()).toBe('<b>line</b>\n');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(calls[0]?.arguments.slice(1)).toEqual([id, { tailLines: 5, previous: true }]);
  });

  it('hand what a domain refuses to the caller, with its extensions and Retry-After', async () => {
    replaced.createSession = () =>
      Promise.reject(new AppError('quota_exceeded', 'sessions: 5 of 5 used', { extensions: { limit: 'sessions', allowed: 5, status: 1 } }));
    const quota = await call('POST', '/v1/sessions', {});
    expect(quota.status).toBe(403);
    expect(await quota.json()).toMatchObject({ code: 'quota_exceeded', status: 403, limit: 'sessions', allowed: 5, retryable: false });
    replaced.execute = () => Promise.reject(new AppError('cluster_unavailable', 'away', { retryAfterSeconds: 1.2 }));
    const away = await call('POST', `/v1/sessions/${id}/execute`, { command: 'x' });
    expect(away.status).toBe(503);
    expect(away.headers.get('retry-after')).toBe('2');
    expect(await away.json()).toMatchObject({ code: 'cluster_unavailable', retryable: true });
  });

  it('tell nothing of an error that nobody expected, and log it with its stack', async () => {
    replaced.execute = () => Promise.reject(new TypeError('postgres://root:pw@10.0.0.1'));
    const response = await call('POST', `/v1/sessions/${id}/execute`, { command: 'x' }, { 'x-request-id': 'the-one' });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toContain('10.0.0.1');
    expect(JSON.parse(text)).toMatchObject({ code: 'internal', retryable: false, request_id: 'the-one' });
    const line = server.lines().find((entry) => entry.severity === 'ERROR');
    expect(line).toMatchObject({ request_id: 'the-one', action: 'request_failed' });
    expect(line?.['stack_trace']).toContain('http-routes.test.ts');
  });

  it('end an execution when its caller hangs up', async () => {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    replaced.execute = (_caller, _id, _request, signal) => {
      signal.addEventListener('abort', () => resolve());
      start();
      return aborted.then(() => execution);
    };
    const controller = new AbortController();
    const request = fetch(`${server.origin}/v1/sessions/${id}/execute`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: '{"command":"sleep 60"}',
      signal: controller.signal,
    });
    await started;
    controller.abort();
    await expect(request).rejects.toThrow('aborted');
    await aborted;
  });
});

describe('the service', () => {
  it('is not ready with 503 where a part cannot be reached, and says which', async () => {
    server.clock.time = new Date(server.clock.time.getTime() + 1_000);
    replaced.readiness = () =>
      Promise.resolve({
        ready: false,
        checks: { store: { ok: false, detail: 'not reachable' } },
        channel: { mode: 'exec', open: 0 },
        warnings: ['w'],
      });
    const response = await fetch(`${server.origin}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      ready: false,
      checks: { store: { ok: false, detail: 'not reachable' } },
      channel: { mode: 'exec', open: 0 },
      warnings: ['w'],
    });
  });

  it('is checked at most once a second, whoever asks', async () => {
    server.clock.time = new Date(server.clock.time.getTime() + 1_000);
    await Promise.all(Array.from({ length: 5 }, () => fetch(`${server.origin}/readyz`)));
    expect(calls.filter((entry) => entry.name === 'readiness')).toHaveLength(1);
  });

  it('shows its metrics to admins and services alone', async () => {
    expect((await fetch(`${server.origin}/metrics`)).status).toBe(401);
    expect((await call('GET', '/metrics')).status).toBe(403);
    await call('GET', `/v1/sessions/${id}`);
    const response = await call('GET', '/metrics', undefined, { 'x-api-key': await server.newKey('service', null) });
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text).toMatch(/^berth_http_requests_total\{method="GET",route="\/v1\/sessions\/:id",status="200"\} \d+$/m);
    expect(text).not.toContain(id);
  });

  it('answers HEAD as GET without a body', async () => {
    const response = await call('HEAD', `/v1/sessions/${id}`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });

  it('sends security headers with every answer and lets no other origin read it', async () => {
    for (const path of ['/', '/v1/nothing', `/v1/sessions/${id}`]) {
      const { headers } = await call('GET', path, undefined, { origin: 'https://evil.example' });
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-frame-options')).toBeTruthy();
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('echoes a sane request id and makes one of its own otherwise', async () => {
    const idOf = async (given?: string): Promise<string | null> =>
      (await call('GET', '/healthz', undefined, given === undefined ? {} : { 'x-request-id': given })).headers.get('x-request-id');
    expect(await idOf('abc-123')).toBe('abc-123');
    expect(await idOf('a b')).toMatch(/^[0-9a-z]{26}$/);
    expect(await idOf('x'.repeat(129))).toMatch(/^[0-9a-z]{26}$/);
    expect(await idOf()).toMatch(/^[0-9a-z]{26}$/);
  });

  it('logs one line for each request, with who and what, and never the key', async () => {
    const before = server.lines().length;
    const trace = '0af7651916cd43dd8448eb211c80319c';
    await call('GET', `/v1/sessions/${id}?`, undefined, { 'x-request-id': 'logged-1', traceparent: `00-${trace}-b7ad6b7169203331-01` });
    const lines = server
      .lines()
      .slice(before)
      .filter((line) => line['request_id'] === 'logged-1');
    expect(lines).toMatchObject([
      {
        severity: 'INFO',
        component: 'http',
        action: 'request',
        user_id: 'alice',
        session_id: id,
        status: 200,
        route: '/v1/sessions/:id',
        'logging.googleapis.com/trace': trace,
      },
    ]);
    expect(lines[0]?.['duration_ms']).toBeTypeOf('number');
    expect(JSON.stringify(server.lines())).not.toContain(key.slice(-43));
  });

  it('logs probes at debug', async () => {
    await fetch(`${server.origin}/healthz`, { headers: { 'x-request-id': 'probe-1' } });
    expect(server.lines().filter((line) => line['request_id'] === 'probe-1')).toMatchObject([{ severity: 'DEBUG' }]);
  });
});
