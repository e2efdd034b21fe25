import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import type { HelperBinaries, HelperBinary } from '../../../shared/helper/binaries.ts';
import { deliver, lastWords } from '../../../shared/helper/delivery.ts';
import { deliveryCommand } from '../../../shared/helper/delivery-script.ts';
import { waitForHelper } from '../../../shared/helper/wait-for-helper.ts';
import type { ExecStream } from '../../../shared/kubernetes/port.ts';
import { execLocally } from '../../fakes/local-exec.ts';

/** Stands in for the helper: as large, and `connect` answers what it is told. */
const program = Buffer.from(`#!/bin/sh\nif [ "$1" = connect ]; then exec cat; fi\necho "$@"\nexit 0\n${'#'.repeat(2_000_000)}\n`);
const binary: HelperBinary = { bytes: program, sha256: createHash('sha256').update(program).digest('hex') };

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-delivery-'));
});
afterEach(() => rm(directory, { recursive: true }));

const installed = (): string => join(directory, 'bin', 'helper');
const start = (command = deliveryCommand, env: Record<string, string> = {}): ExecStream =>
  execLocally(command, { BERTH_DIR: directory, ...env });

function binaries(given: HelperBinary = binary): HelperBinaries & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    read: async (platform) => {
      asked.push(platform);
      return given;
    },
  };
}

async function failure(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof AppError)) throw new Error(`no AppError: ${String(error)}`);
  return error;
}

/** A container whose `uname` says something else, whose shell has its own habits, and so on. */
async function withProgram(name: string, script: string): Promise<Record<string, string>> {
  const folder = join(directory, 'programs');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
}

describe('a delivery', () => {
  test('puts the helper there, and the stream becomes its channel', async () => {
    const stream = start();
    await deliver(stream, binaries(), lastWords(stream.stderr));
    stream.stdin.end('PRI * HTTP/2.0');
    expect(await text(stream.stdout)).toBe('PRI * HTTP/2.0');
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
    expect((await readFile(installed())).equals(program)).toBe(true);
    expect((await stat(installed())).mode & 0o777).toBe(0o755);
    expect(await readdir(join(directory, 'bin'))).toEqual(['helper']);
  });

  test('sends nothing where the helper is there already', async () => {
    await mkdir(join(directory, 'bin'));
    await writeFile(installed(), program, { mode: 0o755 });
    const stream = start();
    const { asked, ...source } = binaries();
    await deliver(stream, source, lastWords(stream.stderr));
    stream.stdin.end('hello');
    expect(await text(stream.stdout)).toBe('hello');
    expect(asked).toEqual([]);
  });

  test('loses none of the bytes that come together with its last line', async () => {
    const stream = start(['sh', '-c', "printf 'berth-helper ready\\nat once'"]);
    await deliver(stream, binaries(), lastWords(stream.stderr));
    expect(await text(stream.stdout)).toBe('at once');
  });

  test('by two at once ends well for both', async () => {
    const streams = [start(), start()];
    await Promise.all(streams.map((stream) => deliver(stream, binaries(), lastWords(stream.stderr))));
    for (const stream of streams) {
      stream.stdin.end('hello');
      expect(await text(stream.stdout)).toBe('hello');
    }
    expect(await readdir(join(directory, 'bin'))).toEqual(['helper']);
  });

  test('passes over what a shell prints before, also without an end of line', async () => {
    const [shell = '', option = '', script = ''] = deliveryCommand;
    const stream = start([shell, option, `echo Welcome; printf 'no end of line'\n${script}`]);
    await deliver(stream, binaries(), lastWords(stream.stderr));
    stream.stdin.end('hello');
    expect(await text(stream.stdout)).toBe('hello');
  });

  test('does not listen for ever to something that is not the script', async () => {
    const stream = start(['sh', '-c', 'while :; do echo yes; done']);
    const error = await failure(deliver(stream, binaries(), lastWords(stream.stderr)));
    stream.close();
    expect(error.code).toBe('helper_protocol_error');
  });

  test.each([
    ['Linux x86_64', 'linux-x64'],
    ['Linux amd64', 'linux-x64'],
    ['Linux aarch64', 'linux-arm64'],
    ['Linux arm64', 'linux-arm64'],
    ['Darwin arm64', 'darwin-arm64'],
  ])('on %s brings what is built for %s', async (machine, platform) => {
    const stream = start(deliveryCommand, await withProgram('uname', `echo ${machine}`));
    const source = binaries();
    await deliver(stream, source, lastWords(stream.stderr));
    stream.stdin.end();
    expect(source.asked).toEqual([platform]);
  });

  test('says for which machines there is no helper', async () => {
    const stream = start(deliveryCommand, await withProgram('uname', 'echo Linux riscv64'));
    const error = await failure(deliver(stream, binaries(), lastWords(stream.stderr)));
    stream.stdin.end();
    expect(error).toMatchObject({ code: 'helper_undeliverable', detail: expect.stringContaining('riscv64') as unknown });
  });
});

describe('a delivery that fails', () => {
  test('leaves nothing behind where the upload is cut', async () => {
    const stream = start();
    await once(stream.stdout, 'readable');
    stream.stdin.end('1000\nfewer');
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 84 });
    expect(await readdir(join(directory, 'bin'))).toEqual([]);
  });

  test('says where there is no folder for it', async () => {
    const stream = start(deliveryCommand, { BERTH_DIR: '/dev/null' });
    const error = await failure(deliver(stream, binaries(), lastWords(stream.stderr)));
    expect(error).toMatchObject({ code: 'helper_undeliverable', detail: expect.stringMatching(/mkdir.*Not a directory/) as unknown });
  });

  test('says where there is no room for it', async () => {
    const stream = start(deliveryCommand, await withProgram('head', 'echo "head: write error: No space left on device" >&2; exit 1'));
    const error = await failure(deliver(stream, binaries(), lastWords(stream.stderr)));
    expect(error).toMatchObject({ code: 'helper_undeliverable', detail: expect.stringContaining('no space') as unknown });
  });

  test('says where the image has no shell', async () => {
    const stream = start(deliveryCommand, { PATH: directory });
    expect((await failure(deliver(stream, binaries(), lastWords(stream.stderr)))).code).toBe('helper_no_shell');
  });
});

describe('the command that waits for the helper', () => {
  test('becomes the helper as soon as that is there, with the command behind it', async () => {
    const waiting = start(waitForHelper(['python3', '-m', 'http.server', "it's $HOME"]), { BERTH_POD_IP: '10.0.0.7' });
    const stream = start();
    await deliver(stream, binaries(), lastWords(stream.stderr));
    stream.stdin.end();
    expect(await text(waiting.stdout)).toBe("serve --listen 10.0.0.7:7171,127.0.0.1:7171 -- python3 -m http.server it's $HOME\n");
    expect(await waiting.exit).toEqual({ type: 'exited', exitCode: 0 });
  });

  test('waits on where sleep takes no fractions', async () => {
    const env = await withProgram(
      'sleep',
      `case "$1" in *.*) exit 1 ;; *) touch "$BERTH_DIR/slept"; PATH=/usr/bin:/bin exec sleep 0.01 ;; esac`,
    );
    const waiting = start(waitForHelper([]), { ...env, BERTH_POD_IP: '10.0.0.7' });
    await expect.poll(() => readdir(directory)).toContain('slept');
    const stream = start();
    await deliver(stream, binaries(), lastWords(stream.stderr));
    stream.stdin.end();
    expect(await text(waiting.stdout)).toContain('serve');
  });

  test('ends with 143 on TERM', async () => {
    const env = await withProgram('sleep', 'touch "$BERTH_DIR/slept"; PATH=/usr/bin:/bin exec sleep "$1"');
    const waiting = start(waitForHelper([]), env);
    await expect.poll(() => readdir(directory)).toContain('slept');
    waiting.close();
    expect(await waiting.exit).toEqual({ type: 'exited', exitCode: 143 });
  });

  test('holds nothing that Kubernetes would expand', () => {
    expect(waitForHelper([]).join('\n')).not.toMatch(/\$[$(]/);
  });
});
