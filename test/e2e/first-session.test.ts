/**
 * What a new user does first, over HTTP against `npm start`: on the embedded cluster always, and on a real one where
 * BERTH_TEST_KUBECONFIG names it.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBerth, type BerthProcess } from '../fakes/berth-process.ts';

const realKubeconfig = process.env['BERTH_TEST_KUBECONFIG'];
const clusters: readonly (readonly [string, readonly string[]])[] = [
  ['the embedded cluster', []],
  ...(realKubeconfig === undefined ? [] : [['the real cluster', ['--kubeconfig', realKubeconfig]] as const]),
];
if (realKubeconfig === undefined)
  console.warn('SKIPPED: npm start against a real cluster. Set BERTH_TEST_KUBECONFIG to a kubeconfig to run it.');

describe.each(clusters)('npm start with %s', (_name, args) => {
  let directory: string;
  let berth: BerthProcess;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-e2e-'));
    berth = await startBerth({ directory, args });
  });

  afterAll(async () => {
    const { sessions } = (await berth.call('GET', '/v1/sessions')).body as { sessions: { id: string }[] };
    for (const { id } of sessions) await berth.call('DELETE', `/v1/sessions/${id}`);
    await berth.call('DELETE', '/v1/namespaces/u-local');
    expect(await berth.stop()).toBe(0);
    await rm(directory, { recursive: true, force: true });
  });

  it('keeps the key in a file that only its owner reads, and never prints it', async () => {
    const file = join(directory, 'api-key');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(berth.output.join('\n')).toContain(file);
    expect(berth.output.join('\n')).not.toMatch(/berth_[0-9a-z]+_/);
  });

  it('listens on 127.0.0.1 alone', () => {
    expect(berth.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('creates a session, runs commands in it, lists it and deletes it', async () => {
    const created = await berth.call('POST', '/v1/sessions', {
      name: 'first',
      labels: { team: 'a' },
      workspace_id: 'w 1',
      env: { GREETING: 'hi' },
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ status: 'running', name: 'first', template: 'python', user: 'local', reason: null });
    const { id } = created.body as { id: string };
    expect(created.headers.get('location')).toBe(`/v1/sessions/${id}`);

    const ran = await berth.call('POST', `/v1/sessions/${id}/execute`, { command: 'echo $GREETING $WORKSPACE_ID; echo oops >&2; exit 3' });
    expect(ran.body).toMatchObject({
      success: false,
      stdout: 'hi w 1\n',
      stderr: 'oops\n',
      returncode: 3,
      end: 'exited',
      timed_out: false,
      truncated: false,
    });
    const piped = await berth.call('POST', `/v1/sessions/${id}/execute`, { argv: ['tr', 'a-z', 'A-Z'], stdin: 'grüße', cwd: '/tmp' });
    expect(piped.body).toMatchObject({ success: true, returncode: 0 });
    const python = await berth.call('POST', `/v1/sessions/${id}/execute`, { command: "python3 -c 'print(6*7)'" });
    expect(python.body).toMatchObject({ stdout: '42\n' });

    const listed = await berth.call('GET', '/v1/sessions?label=team:a&status=running');
    expect((listed.body['sessions'] as { id: string }[]).map((session) => session.id)).toEqual([id]);
    expect((await berth.call('GET', `/v1/sessions/${id}/events`)).status).toBe(200);

    const deleted = await berth.call('DELETE', `/v1/sessions/${id}`);
    expect(deleted).toMatchObject({ status: 200, body: { deleted: true, status: 'terminating' } });
    expect((await berth.call('DELETE', `/v1/sessions/${id}`)).status).toBe(200);
    const after = await berth.call('POST', `/v1/sessions/${id}/execute`, { command: 'true' });
    expect(after).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    expect(after.body['session_status']).toMatch(/^terminat/);
  });

  it('says why a pod cannot start, and frees what was reserved', async () => {
    const created = await berth.call('POST', '/v1/sessions', { image: 'example.invalid/nothing:1' });
    expect(created).toMatchObject({ status: 201, body: { status: 'failed' } });
    expect(created.body['reason']).toMatch(/^ErrImagePull: .*example\.invalid\/nothing:1/);
    const { id } = created.body as { id: string };
    expect(await berth.call('POST', `/v1/sessions/${id}/execute`, { command: 'true' })).toMatchObject({
      status: 409,
      body: { code: 'invalid_state' },
    });
    await berth.call('DELETE', `/v1/sessions/${id}`);
  });

  it('leaves a command at its time limit and says so', async () => {
    const { id } = (await berth.call('POST', '/v1/sessions', {})).body as { id: string };
    const ran = await berth.call('POST', `/v1/sessions/${id}/execute`, { command: 'echo begun; sleep 30', timeout: 1 });
    expect(ran.body).toMatchObject({ success: false, stdout: 'begun\n', end: 'timed_out', timed_out: true });
    expect(ran.body['duration_ms']).toBeLessThan(4000);
    await berth.call('DELETE', `/v1/sessions/${id}`);
  });

  it('cuts output beyond its limit at a character', async () => {
    const { id } = (await berth.call('POST', '/v1/sessions', {})).body as { id: string };
    const ran = await berth.call('POST', `/v1/sessions/${id}/execute`, { command: 'yes grüße | head -c 12000000' });
    expect(ran.body).toMatchObject({ truncated: true, returncode: 0 });
    const kept = Buffer.byteLength(ran.body['stdout'] as string);
    expect(kept).toBeGreaterThan(10 * 1024 * 1024 - 4);
    expect(kept).toBeLessThanOrEqual(10 * 1024 * 1024);
    expect(ran.body['stdout']).not.toContain('\ufffd');
    await berth.call('DELETE', `/v1/sessions/${id}`);
  });

  it('gives the same answer to the same Idempotency-Key, and refuses it with another body', async () => {
    const headers = { 'idempotency-key': 'once' };
    const [first, second] = await Promise.all([
      berth.call('POST', '/v1/sessions', { name: 'one' }, headers),
      berth.call('POST', '/v1/sessions', { name: 'one' }, headers),
    ]);
    expect(first.body['id']).toBe(second.body['id']);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await berth.call('POST', '/v1/sessions', { name: 'two' }, headers)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    await berth.call('DELETE', `/v1/sessions/${String(first.body['id'])}`);
  });

  it('ends a session that is deleted while it is being created', async () => {
    const { id } = (await berth.call('POST', '/v1/sessions?wait=0', {})).body as { id: string };
    expect((await berth.call('DELETE', `/v1/sessions/${id}`)).status).toBe(200);
    await expect.poll(async () => (await berth.call('GET', `/v1/sessions/${id}`)).body['status'], { timeout: 15_000 }).toBe('terminated');
  });
});
