import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { fakeServices } from '../fakes/services.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { sessionDocument } from '../fakes/session-document.ts';

const { services, calls } = fakeServices();
const id = sessionDocument().id;
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startServer((deps) => createApiApp(deps, services));
  key = await server.newKey('user', 'alice');
});
afterAll(async () => server.stop());

interface Problem {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly request_id: string;
}

async function send(path: string, options: RequestInit = {}): Promise<{ readonly response: Response; readonly problem: Problem }> {
  const response = await fetch(`${server.origin}${path}`, {
    ...options,
    headers: { 'x-api-key': key, 'content-type': 'application/json', ...options.headers },
  });
  return { response, problem: (await response.json()) as Problem };
}

async function refusal(path: string, options: RequestInit = {}): Promise<Problem> {
  const { response, problem } = await send(path, options);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.status).toBe(response.status);
  expect(problem.request_id).toBe(response.headers.get('x-request-id'));
  return problem;
}

const post = (body: unknown): RequestInit => ({ method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });

describe('a body that is wrong', () => {
  const fields: readonly (readonly [string, unknown, string])[] = [
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['an unknown nested field', { storage_config: { speed: 1 } }, 'storage_config.speed'],
    ['a wrong type', { ttl_minutes: '60' }, 'ttl_minutes'],
    ['a fraction where an integer belongs', { ttl_minutes: 1.5 }, 'ttl_minutes'],
    ['a time to live beyond the limit', { ttl_minutes: 525_601 }, 'ttl_minutes'],
    ['a null', { template: null }, 'template'],
    ['a namespace that Kubernetes would refuse', { namespace: 'My_Namespace' }, 'namespace'],
    ['a namespace in unicode', { namespace: 'größe' }, 'namespace'],
    ['a user in unicode', { user: '\u202Ealice' }, 'user'],
    ['an env name that no shell takes', { env: { 'A-B': '1' } }, 'env.A-B'],
    ['an env value that is no text', { env: { A: 1 } }, 'env.A'],
    ['an image that is no reference', { image: 'no image at all' }, 'image'],
    ['an unknown provider', { provider: 'aws' }, 'provider'],
    ['an element of a list', { command: ['sh', 3] }, 'command[1]'],
    ['none of several forms', { command: 3 }, 'command'],
  ];
  for (const [what, body, path] of fields) {
    it(`is refused with the path of ${what}`, async () => {
      const problem = await refusal('/v1/sessions', post(body));
      expect(problem).toMatchObject({ code: 'validation_failed', status: 422 });
      expect(problem.errors?.map((error) => error.path)).toEqual([path]);
      expect(problem.errors?.[0]?.message).not.toBe('Invalid input');
    });
  }

  it('names every wrong field, and says in the detail what the first one is', async () => {
    const problem = await refusal('/v1/sessions', post({ ttl_minutes: 'x', colour: 1, env: { 'A-B': '' } }));
    expect(problem.errors?.map((error) => error.path).toSorted()).toEqual(['colour', 'env.A-B', 'ttl_minutes']);
    expect(problem.detail).toMatch(/^The body is not valid: \S+: .+\.$/);
  });

  it('never repeats a value, which may be a secret', async () => {
    const problem = await refusal('/v1/sessions', post({ env: { TOKEN: ['hunter2'] }, user: 'hunter2 hunter2' }));
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it('is answered shortly however many fields are wrong', async () => {
    const body = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`field_${String(index)}`, 0]));
    const problem = await refusal('/v1/sessions', post(body));
    expect(problem.errors).toHaveLength(20);
  });

  it('names both where an execution has neither command nor argv', async () => {
    const problem = await refusal(`/v1/sessions/${id}/execute`, post({}));
    expect(problem).toMatchObject({ code: 'validation_failed', errors: [{ path: 'command', message: 'give either command or argv' }] });
  });

  const texts: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['broken JSON', '{"template": ', 'invalid_json'],
    ['JSON with a secret in the broken place', '{"env": {"A": hunter2}}', 'invalid_json'],
    ['bytes that are not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'invalid_json'],
    ['a list', '[]', 'validation_failed'],
    ['a text', '"template"', 'validation_failed'],
    ['half a character', '{"name": "\\ud800"}', 'validation_failed'],
    ['half a character in a name', '{"labels": {"\\ud800": "x"}}', 'validation_failed'],
    ['100,000 levels', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'validation_failed'],
  ];
  for (const [what, body, code] of texts) {
    it(`is refused as ${code} where it is ${what}`, async () => {
      const problem = await refusal('/v1/sessions', { method: 'POST', body: Buffer.from(body) });
      expect(problem.code).toBe(code);
      expect(JSON.stringify(problem)).not.toContain('hunter2');
    });
  }

  it('is refused where it says that it is something else than JSON', async () => {
    const form = await refusal('/v1/sessions', {
      ...post('template=python'),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(form).toMatchObject({ code: 'validation_failed', errors: [{ path: 'content-type' }] });
    const latin = await refusal('/v1/sessions', { ...post('{}'), headers: { 'content-type': 'application/json; charset=latin1' } });
    expect(latin).toMatchObject({ code: 'validation_failed', errors: [{ path: 'content-type' }] });
  });

  it('reaches no service', () => {
    expect(calls).toEqual([]);
  });
});

describe('a body that is too large', () => {
  const twoMegabytes = JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024) });

  it('is refused as 413, and the connection lives on', async () => {
    const problem = await refusal('/v1/sessions', post(twoMegabytes));
    expect(problem).toMatchObject({ code: 'payload_too_large', status: 413 });
    expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
  });

  it('is refused by its announced length before any of it was sent', async () => {
    const answer = await rawAnswer(
      `POST /v1/sessions HTTP/1.1\r\nhost: b\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\ncontent-length: 2097152\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('is refused when a body of no announced length has grown too large', async () => {
    const chunk = 'x'.repeat(64 * 1024);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(
        `${server.origin}/v1/sessions`,
        { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } },
        (response) => {
          resolve(response.statusCode);
          response.resume();
        },
      );
      request.on('error', reject);
      for (let sent = 0; sent < 24; sent += 1) request.write(chunk);
      // Never ended: the answer must not wait for it.
    });
    expect(status).toBe(413);
  });

  it('is not waited for where the key is wrong', async () => {
    const answer = await rawAnswer(
      `POST /v1/sessions HTTP/1.1\r\nhost: b\r\nx-api-key: wrong\r\ncontent-type: application/json\r\ncontent-length: 2097152\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain('application/problem+json');
  });

  it('shows its sender the 401 also while all of it is being sent', async () => {
    const problem = await refusal('/v1/sessions', { ...post(twoMegabytes), headers: { 'x-api-key': 'wrong' } });
    expect(problem.code).toBe('unauthenticated');
  });
});

describe('a path, query or header that is wrong', () => {
  it('is 422 for an unknown query parameter, by its name', async () => {
    for (const path of ['/v1/sessions?colour=red', `/v1/sessions/${id}?colour=red`, '/v1/templates?colour=red', '/v1/me?colour=red']) {
      expect(await refusal(path)).toMatchObject({ code: 'validation_failed', errors: [{ path: 'colour' }] });
    }
  });

  const queries: readonly (readonly [string, string])[] = [
    ['wait=101', 'wait'],
    ['wait=-1', 'wait'],
    ['wait=1e1', 'wait'],
    ['wait=', 'wait'],
    ['wait=1&wait=2', 'wait'],
  ];
  for (const [query, path] of queries) {
    it(`is 422 for ?${query}`, async () => {
      expect(await refusal(`/v1/sessions?${query}`, post({}))).toMatchObject({ code: 'validation_failed', errors: [{ path }] });
    });
  }
  for (const query of ['limit=0', 'limit=201', 'limit=ten', 'status=asleep', 'label=team', 'cursor=']) {
    it(`is 422 for a list with ?${query}`, async () => {
      expect(await refusal(`/v1/sessions?${query}`)).toMatchObject({ code: 'validation_failed', errors: [{ path: query.split('=')[0] }] });
    });
  }

  it('is 422 for an Idempotency-Key that is too long', async () => {
    const problem = await refusal('/v1/sessions', { ...post({}), headers: { 'idempotency-key': 'k'.repeat(256) } });
    expect(problem).toMatchObject({ code: 'validation_failed', errors: [{ path: 'idempotency-key' }] });
  });

  it('is 404 for a session id that can be nobody’s', async () => {
    for (const wrong of ['UPPER', '%00', '%f0%9f%98%80', 'a'.repeat(64), '..%2f..']) {
      expect(await refusal(`/v1/sessions/${wrong}`)).toMatchObject({ code: 'not_found' });
    }
  });

  it('is 404 as a problem for every unknown path, also those that the framework keeps for itself', async () => {
    for (const path of [
      '/v2',
      '/favicon.ico',
      '/robots.txt',
      '/v1/nothing',
      '/v1/sessions/',
      '/%ff%',
      '/docs/../../package.json',
      '/docs/..%2fpackage.json',
    ]) {
      expect(await refusal(path)).toMatchObject({ code: 'not_found' });
    }
  });

  it('is 405 with Allow for a known path and another method', async () => {
    const { response, problem } = await send('/v1/sessions', { method: 'PUT', body: '{}' });
    expect(problem).toMatchObject({ code: 'method_not_allowed', status: 405 });
    expect(response.headers.get('allow')).toBe('GET, HEAD, POST');
    const options = await send(`/v1/sessions/${id}`, { method: 'OPTIONS' });
    expect(options.response.status).toBe(405);
    expect(options.response.headers.get('allow')).toBe('DELETE, GET, HEAD, PATCH');
  });

  it('is 400 as a problem for a host that is no host', async () => {
    const answer = await rawAnswer('GET /healthz HTTP/1.1\r\nhost: a b/c\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"bad_request"');
  });

  it('answers no HTML to a request line that is garbage', async () => {
    const answer = await rawAnswer('GARBAGE\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.toLowerCase()).not.toContain('<html');
  });
});

/** What comes back until the first answer's body has begun; the request may be left unfinished. */
function rawAnswer(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no answer, only "${answer}"`)));
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      answer += bytes.toString();
      if (/\r\n\r\n(.|$)/s.test(answer)) {
        resolve(answer);
        socket.destroy();
      }
    });
    socket.on('end', () => resolve(answer));
  });
}
