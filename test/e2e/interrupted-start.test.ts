/**
 * Ctrl-C while `npm start` is still starting.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startBerth } from '../fakes/berth-process.ts';
import { processesUsing } from '../fakes/processes.ts';

const startFile = fileURLToPath(new URL('../../dev/start.ts', import.meta.url));
const LATEST_MS = 30_000;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-interrupted-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function interruptWhen(appears: string, signal: NodeJS.Signals) {
  const child = spawn(process.execPath, [startFile, '--port', '0', '--data-dir', directory], {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const exited = once(child, 'exit', { signal: AbortSignal.timeout(LATEST_MS) });
  await expect.poll(() => existsSync(join(directory, appears)), { interval: 1, timeout: LATEST_MS }).toBe(true);
  child.kill(signal);
  await exited;
  const [stdout, stderr] = await output;
  return { code: child.exitCode, stdout, stderr };
}

describe('a start that is interrupted', () => {
  it.each([
    ['before the cluster is started', 'lock', 'SIGINT'],
    ['while the cluster is starting', 'cluster/cluster.log', 'SIGINT'],
    ['while the cluster is starting', 'cluster/lock', 'SIGTERM'],
    ['while the service is starting', 'cluster/endpoint.json', 'SIGINT'],
  ] as const)('%s (%s, %s) ends quietly, leaves no process, and the next one works', { timeout: 60_000 }, async (_when, file, signal) => {
    const { code, stdout, stderr } = await interruptWhen(file, signal);
    expect(stderr).toBe('');
    expect(stdout).not.toMatch(/Error|^\s+at /m);
    expect(code).toBe(0);
    expect(await processesUsing(directory)).toEqual([]);
    const berth = await startBerth({ directory });
    expect(await berth.stop()).toBe(0);
  });

  it('by KILL leaves the cluster to the next one', { timeout: 60_000 }, async () => {
    await interruptWhen('cluster/lock', 'SIGKILL');
    await expect.poll(() => existsSync(join(directory, 'cluster/endpoint.json')), { timeout: 10_000 }).toBe(true);
    const berth = await startBerth({ directory });
    expect(berth.output.join('\n')).toContain('still running from the last start');
    expect(await berth.stop()).toBe(0);
    expect(await readFile(join(directory, 'cluster/cluster.log'), 'utf8')).not.toContain('ERR_IPC_CHANNEL_CLOSED');
  });
});
