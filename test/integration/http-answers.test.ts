import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { openApiDocument } from '../../shared/http/openapi.ts';
import { notBuiltRoutes } from '../../shared/http/routes/not-built.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { execution, fakeServices } from '../fakes/services.ts';
import { sessionDocument } from '../fakes/session-document.ts';

const { id } = sessionDocument();
const { services } = fakeServices();
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, services));
  key = await server.newKey('user', 'alice');
});
afterAll(async () => server.stop());

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.origin}${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const fieldsOf = (value: unknown): string[] => Object.keys(value as object).toSorted();

describe('the fields of every answer', () => {
  const sessionFields = [
    'access_url',
    'channel',
    'conversation_id',
    'created_at',
    'details',
    'env_names',
    'expires_at',
    'generation',
    'gpu',
    'id',
    'idle_timeout_minutes',
    'image',
    'k8s_namespace',
    'labels',
    'name',
    'namespace',
    'node_name',
    'pod_name',
    'ports',
    'preserve_data',
    'project_id',
    'provider',
    'reason',
    'resource_tier',
    'started_at',
    'status',
    'stopped_at',
    'storage',
    'template',
    'terminated_at',
    'ttl_minutes',
    'updated_at',
    'user',
    'user_type',
    'volumes',
    'warnings',
    'websocket',
    'workspace_id',
  ];

  it('of a session, wherever one is answered', async () => {
    const list = (await (await call('GET', '/v1/sessions')).json()) as { sessions: unknown[] };
    const answers = [
      await (await call('POST', '/v1/sessions', {})).json(),
      await (await call('GET', `/v1/sessions/${id}`)).json(),
      list.sessions[0],
    ];
    for (const answer of answers) {
      expect(fieldsOf(answer)).toEqual(sessionFields);
      const { details, storage } = answer as { details: object; storage: object };
      expect(fieldsOf(details)).toEqual(['k8s_ns', 'pod', 'resource_tier', 'storage_type', 'user_type']);
      expect(fieldsOf(storage)).toEqual(['mount_path', 'size_gb', 'storage_type']);
    }
  });

  it('of an execution', async () => {
    const answer = await (await call('POST', `/v1/sessions/${id}/execute`, { command: 'echo hi' })).json();
    expect(answer).toEqual(execution);
    expect(fieldsOf(answer)).toEqual([
      'duration_ms',
      'end',
      'output',
      'returncode',
      'stderr',
      'stdout',
      'success',
      'timed_out',
      'truncated',
    ]);
  });

  it('of a deletion', async () => {
    expect(await (await call('DELETE', `/v1/sessions/${id}`)).json()).toEqual({ deleted: true, status: 'terminating' });
    expect(await (await call('DELETE', '/v1/namespaces/demo')).json()).toEqual({ deleted: true });
  });

  const templateFields = [
    'before_stop',
    'command',
    'description',
    'egress',
    'grace_period_seconds',
    'id',
    'idle_timeout_minutes',
    'image',
    'ports',
    'resource_tier',
    'runtime_class',
    'start_deadline_seconds',
  ];
  const lists: readonly (readonly [string, string, string[]])[] = [
    ['/v1/sessions', 'sessions', sessionFields],
    [`/v1/sessions/${id}/events`, 'events', ['at', 'count', 'message', 'reason', 'source', 'type']],
    ['/v1/namespaces', 'namespaces', ['created_at', 'k8s_namespace', 'namespace', 'owner', 'sessions']],
    ['/v1/templates', 'templates', templateFields],
    ['/v1/webhooks', 'webhooks', ['created_at', 'deliveries', 'description', 'events', 'id', 'url', 'user']],
    ['/v1/keys', 'keys', ['created_at', 'expires_at', 'id', 'kind', 'name', 'revoked_at', 'user']],
  ];
  for (const [path, plural, fields] of lists) {
    it(`of the list ${path}`, async () => {
      const answer = (await (await call('GET', path)).json()) as Record<string, unknown>;
      expect(fieldsOf(answer)).toEqual(['next_cursor', plural].toSorted());
      expect(fieldsOf((answer[plural] as unknown[])[0])).toEqual(fields);
    });
  }

  it('of a new key and of the caller', async () => {
    const made: unknown = await (await call('POST', '/v1/keys', {})).json();
    expect(fieldsOf(made)).toEqual(['created_at', 'expires_at', 'id', 'key', 'kind', 'name', 'revoked_at', 'user']);
    const me = (await (await call('GET', '/v1/me')).json()) as Record<string, object>;
    expect(fieldsOf(me)).toEqual(['entitlements', 'key_expires_at', 'key_id', 'key_name', 'kind', 'type', 'usage', 'user']);
    expect(fieldsOf(me['usage'])).toEqual(['buckets', 'cpu', 'gpus', 'jobs', 'memory_gb', 'pvcs', 'sessions', 'storage_gb']);
  });

  it('of a problem', async () => {
    const problem: unknown = await (await call('GET', '/v1/sessions/unknown')).json();
    expect(fieldsOf(problem)).toEqual(['code', 'detail', 'remediation', 'request_id', 'retryable', 'status', 'title', 'type']);
    const invalid = (await (await call('POST', '/v1/sessions', { a: 1 })).json()) as { errors: unknown[] };
    expect(fieldsOf(invalid.errors[0])).toEqual(['message', 'path']);
  });

  it('of the pages about the service', async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(`${server.origin}${path}`)).json();
    expect(fieldsOf(await get('/'))).toEqual(['links', 'name', 'version']);
    expect(await get('/healthz')).toEqual({ status: 'ok' });
    expect(await get('/health')).toMatchObject({ status: 'healthy' });
    expect(fieldsOf(await get('/readyz'))).toEqual(['channel', 'checks', 'ready', 'warnings']);
  });
});

describe('routes that are not built yet', () => {
  it('answer 501 as a problem, each with each of its methods', async () => {
    expect(notBuiltRoutes.length).toBeGreaterThan(15);
    for (const { method, path } of notBuiltRoutes) {
      const response = await call(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'some1'));
      expect([`${method} ${path}`, response.status]).toEqual([`${method} ${path}`, 501]);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'not_implemented' });
    }
  });

  it('answer 501 on the port gateway with any method and path', async () => {
    expect((await call('PATCH', `/v1/sessions/${id}/ports/8080/a/b`)).status).toBe(501);
    expect((await call('GET', `/v1/sessions/${id}/ports/8080`)).status).toBe(501);
  });

  it('ask for a key first, as unknown paths do', async () => {
    expect((await fetch(`${server.origin}/v1/users`)).status).toBe(401);
    expect((await fetch(`${server.origin}/v1/nothing`)).status).toBe(401);
  });
});

describe('the documentation', () => {
  it('has every route with a description of its answers', async () => {
    const served: unknown = await (await fetch(`${server.origin}/openapi.json`)).json();
    expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
    const { openapi, paths } = served as { openapi: string; paths: Record<string, Record<string, unknown>> };
    expect(openapi).toMatch(/^3\.1/);
    const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(described).toEqual(
      expect.arrayContaining([
        'post /v1/sessions',
        'post /v1/sessions/{id}/execute',
        'get /v1/keys',
        'get /readyz',
        'patch /v1/sessions/{id}',
      ]),
    );
  });

  it('is served with everything it needs, and may load nothing from elsewhere', async () => {
    const page = await fetch(`${server.origin}/docs`);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\//);
    for (const [, asset] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const response = await fetch(`${server.origin}${asset ?? ''}`);
      expect([asset, response.status]).toEqual([asset, 200]);
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(50);
    }
  });

  it('is not there where it is hidden', async () => {
    const hidden = await startServer((deps) => createApiApp(deps, services), { BERTH_HIDE_DOCS: '1' });
    try {
      expect((await fetch(`${hidden.origin}/docs`)).status).toBe(404);
      expect((await fetch(`${hidden.origin}/openapi.json`)).status).toBe(200);
    } finally {
      await hidden.stop();
    }
  });
});
