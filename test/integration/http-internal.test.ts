import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityTokenAuth, internalSecretHeader, refuseAll, secretAuth } from '../../shared/auth/internal.ts';
import { Secret } from '../../shared/auth/secret.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { createSweepApp } from '../../shared/http/create-sweep-app.ts';
import { createTasksApp } from '../../shared/http/create-tasks-app.ts';
import { fakeServices } from '../fakes/services.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';

const secret = 'a-secret-of-this-process';

describe('the tasks unit', () => {
  const { services, calls } = fakeServices({
    runTask: (target) => (target === 'expire' ? Promise.reject(new AppError('cluster_unavailable', 'away')) : Promise.resolve()),
  });
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer((deps) => createTasksApp(deps, services, secretAuth(new Secret(secret))));
  });
  afterAll(async () => server.stop());

  const deliver = (target: string, headers: Record<string, string>, body = '{"session_id":"s1"}'): Promise<Response> =>
    fetch(`${server.origin}/tasks/${target}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

  it('runs a task that the process itself sent', async () => {
    const response = await deliver('provision', { [internalSecretHeader]: secret });
    expect(response.status).toBe(200);
    expect(calls).toEqual([{ name: 'runTask', arguments: ['provision', { session_id: 's1' }, expect.any(AbortSignal)] }]);
  });

  it('answers outside 2xx where the task has to come again', async () => {
    expect((await deliver('expire', { [internalSecretHeader]: secret })).status).toBe(503);
  });

  it('refuses everybody else before it reads the body', async () => {
    calls.length = 0;
    const strangers: readonly Record<string, string>[] = [
      {},
      { [internalSecretHeader]: `${secret}x` },
      { [internalSecretHeader]: '' },
      { 'x-api-key': secret },
    ];
    for (const headers of strangers) {
      const response = await deliver('provision', headers, 'not json');
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
    }
    expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
    expect(calls).toEqual([]);
  });
});

describe('the sweep unit', () => {
  it('sweeps for those it knows and tells what it did', async () => {
    const { services } = fakeServices();
    const server = await startServer((deps) => createSweepApp(deps, services, secretAuth(new Secret(secret))));
    try {
      const response = await fetch(`${server.origin}/sweep`, { method: 'POST', headers: { [internalSecretHeader]: secret } });
      expect(await response.json()).toEqual({ actions: { delete_pod: 1 } });
      expect((await fetch(`${server.origin}/sweep`, { method: 'POST' })).status).toBe(401);
      expect((await fetch(`${server.origin}/sweep`, { headers: { [internalSecretHeader]: secret } })).status).toBe(405);
    } finally {
      await server.stop();
    }
  });

  it('refuses everybody where it was given no way to know its callers', async () => {
    expect(await refuseAll(new Request('http://localhost/', { headers: { [internalSecretHeader]: '' } }))).toBe(false);
  });
});

describe('identity tokens', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const audience = 'https://tasks.example';
  const serviceAccount = 'invoker@project.iam.gserviceaccount.com';
  let keys: Server;
  let issuer: string;

  beforeAll(async () => {
    keys = createServer((request, response) => {
      const key = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
      response.writeHead(request.url === '/jwks' ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ keys: [key] }));
    });
    keys.listen(0, '127.0.0.1');
    await once(keys, 'listening');
    issuer = `http://127.0.0.1:${String((keys.address() as AddressInfo).port)}`;
  });
  afterAll(async () => {
    keys.closeAllConnections();
    keys.close();
    await once(keys, 'close');
  });

  function token(claims: Record<string, unknown> = {}, signer = privateKey): string {
    const now = Math.floor(Date.now() / 1_000);
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = encode({ alg: 'RS256', kid: 'k1', typ: 'JWT' });
    const text = `${head}.${encode({ iss: issuer, aud: audience, email: serviceAccount, email_verified: true, iat: now, exp: now + 300, ...claims })}`;
    return `${text}.${createSign('RSA-SHA256').update(text).sign(signer).toString('base64url')}`;
  }

  async function check(authorization: string | undefined): Promise<{ accepted: boolean; refusals: unknown[] }> {
    const refusals: unknown[] = [];
    const isOurs = identityTokenAuth({
      audiences: [audience, 'https://events.example'],
      serviceAccount,
      issuer,
      onRefused: (reason) => refusals.push(reason),
    });
    const request = new Request('http://localhost/tasks/provision', { headers: authorization === undefined ? {} : { authorization } });
    return { accepted: await isOurs(request), refusals };
  }

  it('are accepted from the service account for one of the audiences', async () => {
    expect(await check(`Bearer ${token()}`)).toEqual({ accepted: true, refusals: [] });
    expect(await check(`Bearer ${token({ aud: 'https://events.example' })}`)).toEqual({ accepted: true, refusals: [] });
  });

  it('are all refused where no audience is configured', async () => {
    const isOurs = identityTokenAuth({ audiences: [], serviceAccount, issuer, onRefused: () => undefined });
    expect(await isOurs(new Request('http://localhost/', { headers: { authorization: `Bearer ${token()}` } }))).toBe(false);
  });

  it('are refused without a signature, and where the public key was taken for a shared secret', async () => {
    const [, claims] = token().split('.');
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const known = publicKey.export({ type: 'spki', format: 'pem' });
    const forged = `${encode({ alg: 'HS256', kid: 'k1' })}.${claims ?? ''}`;
    const signature = createHmac('sha256', known).update(forged).digest('base64url');
    for (const text of [`${encode({ alg: 'none', kid: 'k1' })}.${claims ?? ''}.`, `${forged}.${signature}`]) {
      expect((await check(`Bearer ${text}`)).accepted).toBe(false);
    }
  });

  const wrong: readonly (readonly [string, () => string | undefined])[] = [
    ['no token', () => undefined],
    ['garbage', () => 'Bearer garbage'],
    ['another audience', () => `Bearer ${token({ aud: 'https://elsewhere.example' })}`],
    ['another account', () => `Bearer ${token({ email: 'somebody@project.iam.gserviceaccount.com' })}`],
    ['an address that was not verified', () => `Bearer ${token({ email_verified: false })}`],
    ['no account', () => `Bearer ${token({ email: undefined })}`],
    ['another issuer', () => `Bearer ${token({ iss: 'https://accounts.google.com' })}`],
    ['an expired token', () => `Bearer ${token({ iat: 1_000, exp: 2_000 })}`],
    ['another signer', () => `Bearer ${token({}, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)}`],
  ];
  for (const [what, authorization] of wrong) {
    it(`are refused for ${what}`, async () => {
      const { accepted, refusals } = await check(authorization());
      expect(accepted).toBe(false);
      expect(refusals).toHaveLength(what === 'no token' ? 0 : 1);
    });
  }
});
