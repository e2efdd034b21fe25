import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internalSecretHeader, secretAuth } from '../../shared/auth/internal.ts';
import { Secret } from '../../shared/auth/secret.ts';
import { createSweepApp } from '../../shared/http/create-sweep-app.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { fakeServices } from '../fakes/services.ts';

const secret = 'a-secret-of-this-process';

describe('POST /sweep', () => {
  const { services, calls } = fakeServices();
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer((deps) => createSweepApp(deps, services, secretAuth(new Secret(secret))));
  });

  afterAll(() => server.stop());

  const post = (query: string): Promise<Response> =>
    fetch(`${server.origin}/sweep${query}`, { method: 'POST', headers: { [internalSecretHeader]: secret } });

  it('does a pass, says what it would do, or compares everything', async () => {
    for (const query of ['', '?dry_run=true', '?full=true&dry_run=false']) expect((await post(query)).status).toBe(200);
    expect(calls.map((call) => call.arguments)).toEqual([
      [{ dryRun: false, full: false }],
      [{ dryRun: true, full: false }],
      [{ dryRun: false, full: true }],
    ]);
  });

  it('does nothing where it cannot be sure what was meant', async () => {
    calls.length = 0;
    for (const query of ['?dry_run=1', '?dry-run=true', '?dry_run=', '?full=yes']) {
      const response = await post(query);
      expect(response.status, query).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'validation_failed', errors: [{ path: expect.any(String) as string }] });
    }
    expect(calls).toEqual([]);
  });
});
