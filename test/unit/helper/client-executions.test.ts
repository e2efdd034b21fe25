import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { createHelperClient, type HelperClient } from '../../../shared/helper/client.ts';
import type { ExecutionSpec, RunOptions } from '../../../shared/helper/client-executions.ts';
import { openChannel } from '../../../shared/helper/channel.ts';
import type { PodChannel } from '../../../shared/helper/port.ts';
import { codeOf, expectedOutput, startFakeHelper, type Cut, type FakeHelper } from '../../fakes/fake-helper.ts';

const closing: (() => void)[] = [];

interface Rig {
  readonly helper: FakeHelper;
  readonly client: HelperClient;
}

/** Each new connection takes the next cut; those after the last one stay whole. */
function start(cuts: readonly (Cut | undefined)[] = [], helpers: readonly FakeHelper[] = [startFakeHelper()]): Rig {
  const left = [...cuts];
  const servers = [...helpers];
  const [helper] = helpers;
  if (helper === undefined) throw new TypeError('a helper is needed');
  let channel: Promise<PodChannel> | undefined;
  const dial = (signal: AbortSignal): Promise<PodChannel> => {
    const server = servers.length > 1 ? (servers.shift() ?? helper) : (servers[0] ?? helper);
    return openChannel(server.connect(left.shift()), 'direct', signal, {
      clock: { now: () => new Date() },
      onClose: () => (channel = undefined),
    });
  };
  const client = createHelperClient(
    (signal) =>
      (channel ??= dial(signal).catch((error: unknown) => {
        channel = undefined;
        throw error;
      })),
  );
  closing.push(() => helpers.forEach((each) => each.stop()));
  return { helper, client };
}

const spec = (...argv: readonly string[]): ExecutionSpec => ({ argv, timeoutMs: 10_000, outputLimitBytes: 1_000_000 });

interface Result {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly end: string;
}

async function run(client: HelperClient, id: string, what: ExecutionSpec, options: Partial<RunOptions> = {}): Promise<Result> {
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let end = '';
  let started = 0;
  for await (const record of client.executions.run(id, what, { signal: AbortSignal.timeout(10_000), ...options })) {
    expect(end).toBe('');
    if (record.type === 'started') started += 1;
    else if (record.type === 'end') end = record.end;
    else parts[record.type].push(record.bytes);
  }
  expect(started).toBeLessThanOrEqual(1);
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr), end };
}

/** The health request and what surrounds it come first: cuts begin behind them. */
const AFTER_HEALTH = 450;

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe('executions', () => {
  it('tell the pid, the output and the end', async () => {
    const { client } = start();
    const result = await run(client, 'x', spec('count', '10000', '5000'));
    expect(result).toEqual({ stdout: expectedOutput(10_000), stderr: expectedOutput(5_000, 1), end: 'exited' });
  });

  it('take bytes and streams as input', async () => {
    const { client } = start();
    const input = expectedOutput(300_000);
    expect((await run(client, 'a', spec('cat'), { stdin: input })).stdout.equals(input)).toBe(true);
    const stream = Readable.from([input.subarray(0, 1000), input.subarray(1000)]);
    expect((await run(client, 'b', spec('cat'), { stdin: stream })).stdout.equals(input)).toBe(true);
  });

  it('are joined again after a cut at whatever byte of the answer: run once, nothing lost, nothing repeated', async () => {
    const stdout = expectedOutput(20_000);
    const stderr = expectedOutput(3_000, 1);
    let cutShort = 0;
    for (let at = 60; at < 24_500; at += 431) {
      const { client, helper } = start([{ afterReceived: at }]);
      // A cut in the first answer to `health` is the caller's to see: nothing was started yet.
      const result = await run(client, 'x', spec('count', '20000', '3000')).catch(codeOf);
      if (at < AFTER_HEALTH && typeof result === 'string') expect(result).toBe('helper_connection_lost');
      else expect(result).toEqual({ stdout, stderr, end: 'exited' });
      expect(helper.runs.get('x') ?? 1).toBe(1);
      cutShort += helper.connections() - 1;
    }
    expect(cutShort).toBeGreaterThan(40);
  });

  it('survive three cuts in a row', async () => {
    const { client, helper } = start([{ afterReceived: 5_000 }, { afterReceived: 7_000 }, { afterReceived: 6_000 }]);
    expect((await run(client, 'x', spec('count', '30000'))).stdout).toEqual(expectedOutput(30_000));
    expect(helper.connections()).toBe(4);
    expect(helper.runs.get('x')).toBe(1);
  });

  it('repeat input that is bytes, of which the command gets everything once', async () => {
    const input = expectedOutput(40_000);
    for (let at = AFTER_HEALTH; at < 40_000; at += 1_733) {
      const { client, helper } = start([{ afterSent: at }]);
      const result = await run(client, 'x', spec('cat'), { stdin: input });
      expect(result.end).toBe('exited');
      expect(result.stdout.equals(input)).toBe(true);
      expect(helper.runs.get('x')).toBe(1);
      expect(helper.connections()).toBe(2);
    }
  });

  it('end as connection_lost, and are ended, where a stream of input was cut; never with half of it as if it were whole', async () => {
    const input = expectedOutput(40_000);
    const ends = new Set<string>();
    for (let at = AFTER_HEALTH; at < 41_500; at += 1_399) {
      const { client, helper } = start([{ afterSent: at }]);
      const stdin = Readable.from([input.subarray(0, 15_000), input.subarray(15_000)]);
      const result = await run(client, 'x', spec('cat'), { stdin });
      ends.add(result.end);
      if (result.end === 'exited') expect(result.stdout.equals(input)).toBe(true);
      else expect(helper.events).toContain('deleted x');
      expect(stdin.destroyed).toBe(true);
      expect(helper.runs.get('x') ?? 1).toBe(1);
    }
    expect([...ends]).toContain('connection_lost');
  });

  it('are not run again by a helper that was restarted meanwhile', async () => {
    const after = startFakeHelper({ bootId: 'boot-2' });
    const { client, helper } = start([{ afterReceived: 5_000 }], [startFakeHelper(), after]);
    const result = await run(client, 'x', spec('count', '30000'));
    expect(result.end).toBe('connection_lost');
    expect(result.stdout).toEqual(expectedOutput(30_000).subarray(0, result.stdout.length));
    expect(helper.runs.get('x')).toBe(1);
    expect(after.runs.size).toBe(0);
  });

  it('end as connection_lost when no channel can be had any more', async () => {
    const helper = startFakeHelper();
    const dead: Cut = { afterReceived: 20 };
    const { client } = start([{ afterReceived: 5_000 }, dead, dead, dead, dead, dead, dead, dead], [helper]);
    const before = performance.now();
    const result = await run(client, 'x', spec('count', '30000'));
    expect(result.end).toBe('connection_lost');
    expect(result.stdout).toEqual(expectedOutput(30_000).subarray(0, result.stdout.length));
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it('are cancelled by the signal, and by leaving the loop', async () => {
    const { client, helper } = start();
    const abort = new AbortController();
    const waiting = run(client, 'a', spec('hang'), { signal: abort.signal });
    await expect.poll(() => helper.runs.get('a')).toBe(1);
    abort.abort(new Error('hung up'));
    await expect(waiting).rejects.toThrow('hung up');
    for await (const record of client.executions.run('b', spec('hang'), { signal: AbortSignal.timeout(5_000) })) {
      if (record.type === 'started') break;
    }
    await expect.poll(() => helper.events).toEqual(['cancelled a', 'cancelled b']);
  });

  it('hand on the reason of an input that breaks off', async () => {
    const { client, helper } = start();
    const stdin = new Readable({ read: () => undefined });
    stdin.push('part');
    const waiting = run(client, 'a', spec('cat'), { stdin });
    await expect.poll(() => helper.runs.get('a')).toBe(1);
    stdin.destroy(new Error('the browser left'));
    await expect(waiting).rejects.toThrow('the browser left');
  });
});
