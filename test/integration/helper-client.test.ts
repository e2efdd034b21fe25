import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChannel } from '../../shared/helper/channel.ts';
import { createHelperClient, type HelperClient } from '../../shared/helper/client.ts';
import type { RunOptions } from '../../shared/helper/client-executions.ts';
import type { PodChannel } from '../../shared/helper/port.ts';
import { codeOf, expectedOutput, type Cut } from '../fakes/fake-helper.ts';
import { goOnPath, startGoHelper, type GoHelper } from '../fakes/go-helper.ts';

const MIB = 1024 * 1024;

describe.skipIf(!goOnPath)('the client with the real helper (needs go on PATH)', () => {
  let helper: GoHelper;
  const channels = new Set<PodChannel>();

  beforeAll(async () => {
    helper = await startGoHelper();
  }, 180_000);

  afterAll(async () => {
    for (const channel of channels) channel.close();
    await helper.stop();
  });

  /** A client whose first connections are cut so. */
  function start(...cuts: readonly Cut[]): { readonly client: HelperClient; readonly opened: () => number } {
    const left = [...cuts];
    let opened = 0;
    let present: Promise<PodChannel> | undefined;
    const dial = async (signal: AbortSignal): Promise<PodChannel> => {
      const stream = await helper.connect(left.shift());
      opened += 1;
      const channel = await openChannel(stream, 'exec', signal, { clock: { now: () => new Date() }, onClose: () => (present = undefined) });
      channels.add(channel);
      return channel;
    };
    const channelOf = (signal: AbortSignal): Promise<PodChannel> => {
      present ??= dial(signal).catch((error: unknown) => {
        present = undefined;
        throw error;
      });
      return present;
    };
    return { client: createHelperClient(channelOf), opened: () => opened };
  }

  let runs = 0;
  async function run(client: HelperClient, argv: readonly string[], options: Partial<RunOptions> = {}) {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const spec = { argv, timeoutMs: 10_000, outputLimitBytes: 10 * MIB };
    runs += 1;
    for await (const record of client.executions.run(`run-${String(runs)}`, spec, { signal: AbortSignal.timeout(15_000), ...options })) {
      if (record.type === 'stdout') stdout.push(record.bytes);
      if (record.type === 'stderr') stderr.push(record.bytes);
      if (record.type === 'end') {
        return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), end: record.end, exitCode: record.exit_code };
      }
    }
    throw new Error('An execution ended without its end.');
  }

  it('runs commands', async () => {
    const { client } = start();
    const result = await run(client, ['sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toEqual({ stdout: Buffer.from('out\n'), stderr: Buffer.from('err\n'), end: 'exited', exitCode: 3 });
    expect(await run(client, ['/no/such/program'])).toMatchObject({ end: 'exited', exitCode: 127 });
    expect(await run(client, ['sh', '-c', 'kill -9 $$'])).toMatchObject({ end: 'signaled', exitCode: 137 });
  });

  it('gets all output once, and runs once, wherever the connection is cut', async () => {
    const script = 'echo x >> "$0"; seq 1 9000; seq 1 900 >&2';
    const stdout = execFileSync('seq', ['1', '9000']);
    const stderr = execFileSync('seq', ['1', '900']);
    let joined = 0;
    for (let at = 600; at < 48_000; at += 2_371) {
      const log = join(helper.folder, `cut-${String(at)}`);
      const { client, opened } = start({ afterReceived: at });
      expect(await run(client, ['sh', '-c', script, log])).toEqual({ stdout, stderr, end: 'exited', exitCode: 0 });
      expect(readFileSync(log, 'utf8')).toBe('x\n');
      joined += opened() - 1;
    }
    expect(joined).toBeGreaterThan(15);
  });

  it('gives the command all its input or says that the connection was lost, wherever that is cut', async () => {
    const input = expectedOutput(120_000);
    for (let at = 500; at < 121_000; at += 9_973) {
      const bytes = await run(start({ afterSent: at }).client, ['cat'], { stdin: input });
      expect(bytes.end).toBe('exited');
      expect(bytes.stdout.equals(input)).toBe(true);
      const stdin = Readable.from([input.subarray(0, 50_000), input.subarray(50_000)]);
      const streamed = await run(start({ afterSent: at }).client, ['cat'], { stdin });
      if (streamed.end === 'exited') expect(streamed.stdout.equals(input)).toBe(true);
      else expect(streamed.end).toBe('connection_lost');
    }
  });

  it('joins again where a stream of input had been taken as a whole before the cut', async () => {
    const { client, opened } = start({ afterReceived: 10_000 });
    // The pause is the command's: its input is long taken when the cut comes.
    const result = await run(client, ['sh', '-c', 'cat; sleep 0.5; seq 1 9000'], { stdin: Readable.from([Buffer.from('in\n')]) });
    expect(result.end).toBe('exited');
    expect(result.stdout.toString()).toBe(`in\n${execFileSync('seq', ['1', '9000'], { encoding: 'utf8' })}`);
    expect(opened()).toBe(2);
  });

  it('never takes half a file for a whole one', async () => {
    const path = join(helper.folder, 'file');
    const content = expectedOutput(300_000);
    writeFileSync(path, content);
    const signal = AbortSignal.timeout(15_000);
    for (let at = 700; at < 300_000; at += 14_983) {
      const { client } = start({ afterReceived: at });
      const outcome = await client.files
        .read(path, {}, signal)
        .then(({ body }) => body.toArray())
        .then((chunks) => Buffer.concat(chunks as Buffer[]).equals(content), codeOf);
      expect(outcome).toBe('helper_connection_lost');
    }
  });

  it('never commits half an upload', async () => {
    const { client } = start();
    const path = join(helper.folder, 'upload');
    const abort = new AbortController();
    const body = new Readable({ read: () => undefined });
    const writing = client.files.write(path, { upload: 'u1', offset: 0, body, commit: {} }, abort.signal);
    body.push(Buffer.alloc(100_000));
    const signal = AbortSignal.timeout(10_000);
    await expect.poll(async () => (await client.files.upload(path, 'u1', signal).catch(() => ({ offset: 0 }))).offset).toBeGreaterThan(0);
    abort.abort(new Error('the browser left'));
    await expect(writing).rejects.toThrow('the browser left');
    const { offset } = await client.files.upload(path, 'u1', signal);
    expect(existsSync(path)).toBe(false);
    const rest = expectedOutput(1_000);
    await client.files.write(path, { upload: 'u1', offset, body: rest, commit: { mode: 0o640 } }, signal);
    expect(await client.files.stat(path, signal)).toMatchObject({ type: 'file', size: offset + 1_000, mode: 0o640 });
    const sha256 = createHash('sha256').update(Buffer.alloc(offset)).update(rest).digest('hex');
    expect(await client.files.sha256(path, signal)).toEqual({ sha256, size: offset + 1_000 });
  });

  it('stops the helper while nobody reads, in little memory', async () => {
    const { client } = start();
    const path = join(helper.folder, 'large');
    writeFileSync(path, '');
    truncateSync(path, 200 * MIB);
    const signal = AbortSignal.timeout(15_000);
    await client.health(signal);
    const before = { bytes: helper.receivedBytes(), memory: process.memoryUsage().rss };
    const { body } = await client.files.read(path, {}, signal);
    for (let round = 0; round < 50; round += 1) await client.health(signal);
    expect(helper.receivedBytes() - before.bytes).toBeLessThan(5 * MIB);
    expect(process.memoryUsage().rss - before.memory).toBeLessThan(20 * MIB);
    let read = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) read += chunk.length;
    expect(read).toBe(200 * MIB);
  });

  it('holds terminals', async () => {
    const { client } = start();
    const signal = AbortSignal.timeout(15_000);
    await client.terminals.create('t1', { argv: ['sh'], env: { PS1: '' }, cols: 80, rows: 24 }, signal);
    const attachment = await client.terminals.attach('t1', { client: 'me', mode: 'write', signal });
    await client.terminals.resize('t1', 'me', { cols: 100, rows: 30 }, signal);
    await attachment.write(Buffer.from('stty size; exit 5\n'));
    let output = '';
    let end: unknown;
    for await (const event of attachment.events) {
      if (event.event === 'output') output += event.bytes.toString();
      if (event.event === 'end') end = event;
    }
    expect(output).toContain('30 100');
    expect(end).toMatchObject({ exit_code: 5, reason: 'exited' });
    expect(await client.terminals.get('t1', signal)).toMatchObject({ exit_code: 5, cols: 100 });
    await client.terminals.end('t1', signal);
  });

  it('leaves a terminal when it closes its attachment', async () => {
    const { client } = start();
    const signal = AbortSignal.timeout(15_000);
    await client.terminals.create('t2', { argv: ['cat'], cols: 80, rows: 24 }, signal);
    const attachment = await client.terminals.attach('t2', { client: 'me', mode: 'write', signal });
    attachment.close();
    await expect.poll(async () => (await client.terminals.get('t2', signal)).detached_since).not.toBeNull();
    expect((await client.terminals.get('t2', signal)).exit_code).toBeNull();
    await client.terminals.end('t2', signal);
  });

  it('reaches ports of the pod, each half of a connection for itself', async () => {
    const { client } = start();
    const signal = AbortSignal.timeout(15_000);
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.write('hello ');
      text(socket).then(
        (said) => socket.end(said),
        () => undefined,
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const stream = await client.ports.connect(port, signal);
    stream.write('from ');
    stream.end('here');
    expect(await text(stream)).toBe('hello from here');
    server.close();
    await once(server, 'close');
    await expect(client.ports.connect(port, signal)).rejects.toMatchObject({ code: 'not_found' });
    await expect(client.ports.connect(7171, signal)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('starts jobs, waits for them, and reads what they print', async () => {
    const { client } = start();
    const signal = AbortSignal.timeout(15_000);
    const argv = ['sh', '-c', 'cat; sleep 0.2; echo more; echo err >&2; exit 2'];
    expect(await client.jobs.start('j1', { argv, stdin: Buffer.from('in ') }, signal)).toMatchObject({ status: 'running', end: null });
    expect(await text(await client.jobs.follow('j1', 'stdout', 0, signal))).toBe('in more\n');
    expect(await client.jobs.get('j1', signal, 5_000)).toMatchObject({ status: 'ended', end: 'exited', exit_code: 2, stderr_bytes: 4 });
    expect(await client.jobs.read('j1', 'stdout', { offset: 3, limit: 4 }, signal)).toEqual({ bytes: Buffer.from('more'), nextOffset: 7 });
    await client.jobs.start('j2', { argv: ['sleep', '60'] }, signal);
    await client.jobs.cancel('j2', signal);
    expect(await client.jobs.get('j2', signal, 5_000)).toMatchObject({ end: 'cancelled', signal: 'TERM' });
    expect((await client.jobs.list(signal)).map(({ id }) => id).toSorted()).toEqual(['j1', 'j2']);
    await client.jobs.remove('j1', signal);
    await expect(client.jobs.get('j1', signal)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('makes, packs, unpacks, moves and removes trees, also with names that are not UTF-8', async () => {
    const { client } = start();
    const signal = AbortSignal.timeout(15_000);
    const [one, two] = [join(helper.folder, 'one'), join(helper.folder, 'two')];
    await client.files.mkdir(join(one, 'deep'), { parents: true, mode: 0o700 }, signal);
    await expect(client.files.mkdir(one, {}, signal)).rejects.toMatchObject({ code: 'conflict', extensions: { reason: 'exists' } });
    await client.files.write(join(one, 'deep', 'a'), { upload: 'u2', offset: 0, body: Buffer.from('abc'), commit: {} }, signal);
    await client.files.mkdir(two, {}, signal);
    await client.files.unpack(two, await client.files.pack(one, signal), signal);
    const odd = Buffer.concat([Buffer.from(`${two}/`), Buffer.from([0xff])]);
    await client.files.move(join(two, 'deep', 'a'), odd, {}, signal);
    const { entries, next } = await client.files.list(two, { limit: 10 }, signal);
    expect(entries.map(({ type, name_base64 }) => ({ type, name_base64 }))).toEqual([
      { type: 'directory', name_base64: undefined },
      { type: 'file', name_base64: '/w==' },
    ]);
    expect(next).toBeNull();
    expect(await text((await client.files.read(odd, { offset: 1, length: 1 }, signal)).body)).toBe('b');
    await expect(client.files.remove(two, {}, signal)).rejects.toMatchObject({ extensions: { reason: 'not_empty' } });
    await client.files.remove(two, { recursive: true }, signal);
    await expect(client.files.stat(two, signal)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('counts what runs', async () => {
    const { client } = start();
    const signal = AbortSignal.timeout(60_000);
    expect(await client.stats(signal)).toMatchObject({ connections: expect.any(Number) as number });
    // A command whose connection the tests above have cut goes on for half a minute.
    await expect.poll(async () => (await client.stats(signal)).executions, { timeout: 45_000 }).toBe(0);
  }, 60_000);

  it('ends what it cancels', async () => {
    const { client } = start();
    const abort = new AbortController();
    const file = join(helper.folder, 'pid');
    const waiting = run(client, ['sh', '-c', 'echo $$ > "$0"; sleep 60', file], { signal: abort.signal });
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').trim()).toMatch(/^\d+$/);
    const pid = Number(readFileSync(file, 'utf8'));
    abort.abort(new Error('hung up'));
    await expect(waiting).rejects.toThrow('hung up');
    await expect.poll(() => existsSync(`/proc/${String(pid)}`), { timeout: 5_000 }).toBe(false);
  });
});
