/**
 * What becomes of sessions when the service is stopped, killed and started again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEndpoint } from '../../dev/cluster/endpoint.ts';
import { startBerth, type BerthProcess } from '../fakes/berth-process.ts';
import { processesUsing } from '../fakes/processes.ts';

let directory: string;
let berth: BerthProcess;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-restart-'));
  berth = await startBerth({ directory });
});

afterEach(async () => {
  await berth.stop();
  await rm(directory, { recursive: true, force: true });
});

async function execute(id: string, command: string): Promise<Record<string, unknown>> {
  return (await berth.call('POST', `/v1/sessions/${id}/execute`, { command })).body;
}

async function createSession(): Promise<string> {
  return (await berth.call('POST', '/v1/sessions', {})).body['id'] as string;
}

describe('the service', () => {
  it(
    'brings running sessions up again with their files after an orderly stop, and leaves no process while it is down',
    { timeout: 60_000 },
    async () => {
      const id = await createSession();
      await execute(id, 'echo kept > /workspace/file');
      expect(await berth.stop()).toBe(0);
      expect(await processesUsing(directory)).toEqual([]);
      berth = await startBerth({ directory });
      await expect.poll(() => execute(id, 'cat /workspace/file'), { timeout: 15_000 }).toMatchObject({ stdout: 'kept\n' });
      expect((await berth.call('GET', `/v1/sessions/${id}`)).body).toMatchObject({ status: 'running', generation: 1 });
    },
  );

  it('takes over a cluster that outlived it, with the sessions’ processes running on', { timeout: 60_000 }, async () => {
    const id = await createSession();
    await execute(id, 'sleep 300 >/dev/null 2>&1 & echo $! > /workspace/pid');
    await berth.kill();
    berth = await startBerth({ directory });
    expect(berth.output.join('\n')).toContain('still running from the last start');
    expect(await execute(id, 'kill -0 $(cat /workspace/pid) && echo alive')).toMatchObject({ stdout: 'alive\n' });
  });

  it('tells of each change of a session once, also of one just before it was killed', { timeout: 60_000 }, async () => {
    const id = await createSession();
    await berth.kill();
    berth = await startBerth({ directory });
    await berth.call('DELETE', `/v1/sessions/${id}`);
    const told = async (): Promise<unknown[]> => {
      const { entries } = (await berth.call('GET', `/v1/audit?target=sessions/${id}`)).body as { entries: { action: string }[] };
      return entries.map(({ action }) => action).toSorted();
    };
    await expect
      .poll(told, { timeout: 15_000 })
      .toEqual(['session.creating', 'session.running', 'session.terminated', 'session.terminating']);
  });

  it('starts anew where service and cluster were both killed, with the sessions and their files', { timeout: 60_000 }, async () => {
    const id = await createSession();
    await execute(id, 'echo kept > /workspace/file');
    const cluster = readEndpoint(join(directory, 'cluster'));
    await berth.kill();
    process.kill(cluster?.pid ?? 0, 'SIGKILL');
    await expect.poll(() => processesUsing(directory), { timeout: 10_000 }).toEqual([]);
    berth = await startBerth({ directory });
    await expect.poll(() => execute(id, 'cat /workspace/file'), { timeout: 15_000 }).toMatchObject({ stdout: 'kept\n' });
  });

  it('ends with one clear line and exit code 1 where the cluster was killed, and starts anew', { timeout: 60_000 }, async () => {
    const id = await createSession();
    await execute(id, 'echo kept > /workspace/file');
    process.kill(readEndpoint(join(directory, 'cluster'))?.pid ?? 0, 'SIGKILL');
    await expect.poll(() => processesUsing(directory), { timeout: 15_000 }).toEqual([]);
    expect(await berth.stop()).toBe(1);
    const output = berth.output.join('\n');
    expect(output.match(/The embedded cluster has ended/g)).toHaveLength(1);
    expect(output).not.toMatch(/ECONNREFUSED|^\s+at /m);
    berth = await startBerth({ directory });
    await expect.poll(() => execute(id, 'cat /workspace/file'), { timeout: 15_000 }).toMatchObject({ stdout: 'kept\n' });
  });

  it('refuses a second service on the same folder', async () => {
    await expect(startBerth({ directory })).rejects.toThrow(/another Berth runs/);
  });
});
