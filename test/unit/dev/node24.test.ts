import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const LAUNCHER = join(import.meta.dirname, '../../../dev/node24.mjs');

/** Makes the process believe that it is Node 20: nothing else in the launcher depends on the version. */
const PRETEND_NODE_20 =
  '--import=data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})';

/** Says when it is ready, counts its interrupts, and ends by itself 150 ms after the first one. */
const COUNT_INTERRUPTS = `
  let interrupts = 0;
  const finish = () => { console.log('interrupts ' + interrupts); process.exit(interrupts); };
  process.on('SIGINT', () => { interrupts += 1; if (interrupts === 1) setTimeout(finish, 150); });
  setInterval(() => {}, 1000);
  console.log('ready');
`;

let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-node24-'));
  children = [];
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

function run(command: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(command, argv, { env: { ...process.env, ...env }, stdio: 'pipe' });
  children.push(child);
  let output = '';
  let errors = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode }));
  return { child, output: () => output, errors: () => errors, ended };
}

function launch(...argv: readonly string[]): Running {
  return run(process.execPath, [LAUNCHER, ...argv]);
}

function script(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function untilOutput(running: Running, text: string): Promise<void> {
  while (!running.output().includes(text)) {
    await Promise.race([
      once(running.child.stdout ?? running.child, 'data'),
      running.ended.then(() => Promise.reject(new Error(`ended without "${text}": ${running.errors()}`))),
    ]);
  }
}

/** A copy of the launcher in a project of its own, whose packaged Node is a link to ours (or absent). */
function projectWith(packagedNode: boolean): string {
  mkdirSync(join(folder, 'dev'));
  const launcher = join(folder, 'dev/node24.mjs');
  copyFileSync(LAUNCHER, launcher);
  if (packagedNode) {
    const bin = join(folder, `node_modules/node-${process.platform}-${process.arch}/bin`);
    mkdirSync(bin, { recursive: true });
    symlinkSync(process.execPath, join(bin, 'node'));
  }
  return launcher;
}

describe('the Node 24 launcher', () => {
  it('passes arguments, environment and stdin to a file and hands back its output and exit code', async () => {
    const path = script(
      'echo.mts',
      `
      const typed: string = process.argv.slice(2).join('|');
      let input = '';
      for await (const part of process.stdin) input += part;
      console.log(typed, process.env['BERTH_TRIAL'], input);
      process.exitCode = 41;
    `,
    );
    const running = run(process.execPath, [LAUNCHER, path, 'a b', '--flag', ''], { BERTH_TRIAL: 'kept' });
    running.child.stdin?.end('from stdin');
    expect(await running.ended).toEqual({ code: 41, signal: null });
    expect(running.output()).toBe('a b|--flag| kept from stdin\n');
  });

  it('runs the command of an installed package by its name', async () => {
    const running = launch('vitest', '--version');
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(running.output()).toMatch(/^vitest\/\d/);
  });

  it('names the missing command where no package has it', async () => {
    const running = launch('no-such-command');
    expect(await running.ended).toEqual({ code: 1, signal: null });
    expect(running.errors()).toBe('No installed package has the command "no-such-command"; run "npm ci" first.\n');
  });

  it('puts the folder of the chosen Node first in PATH', async () => {
    const running = launch('--print', 'process.env.PATH');
    await running.ended;
    expect(running.output().split(':')[0]).toBe(dirname(process.execPath));
  });

  it('takes the packaged Node where the own one is too old', async () => {
    const launcher = projectWith(true);
    const running = run(process.execPath, [PRETEND_NODE_20, launcher, '--print', 'process.env.PATH']);
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(running.output().split(':')[0]).toBe(join(folder, `node_modules/node-${process.platform}-${process.arch}/bin`));
  });

  it('ends with one line that names Node 24 where the own Node is too old and none is packaged', async () => {
    const launcher = projectWith(false);
    const running = run(process.execPath, [PRETEND_NODE_20, launcher, '--print', '1']);
    expect(await running.ended).toEqual({ code: 1, signal: null });
    expect(running.output()).toBe('');
    expect(running.errors()).toMatch(/^Berth needs Node 24 or newer and found Node v\d+.*\n$/);
  });

  it('ends by the signal that ended the program', async () => {
    const running = launch('--eval', 'process.kill(process.pid, "SIGKILL")');
    expect(await running.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('waits for a program that takes its time over SIGTERM, and leaves no child', async () => {
    const running = launch(
      '--eval',
      `
      process.on('SIGTERM', () => setTimeout(() => { console.log('cleaned up'); process.exit(3); }, 100));
      setInterval(() => {}, 1000);
      console.log('ready ' + process.pid + ' ');
    `,
    );
    await untilOutput(running, 'ready');
    const pid = Number(running.output().split(' ')[1]);
    running.child.kill('SIGTERM');
    expect(await running.ended).toEqual({ code: 3, signal: null });
    expect(running.output()).toContain('cleaned up');
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('ends by SIGTERM where the program does', async () => {
    const running = launch('--eval', 'setInterval(() => {}, 1000); console.log("ready")');
    await untilOutput(running, 'ready');
    running.child.kill('SIGTERM');
    expect(await running.ended).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('ends the program where npm has ended the shell between them', async () => {
    const path = script(
      'count.mjs',
      `
      let terminations = 0;
      const finish = () => { console.log('terminations ' + terminations); process.exit(0); };
      process.on('SIGTERM', () => { terminations += 1; if (terminations === 1) setTimeout(finish, 500); });
      setInterval(() => {}, 1000);
      console.log('ready');
    `,
    );
    const command = `"${process.execPath}" "${LAUNCHER}" "${path}"; true`;
    const shell = run('/bin/sh', ['-c', command], { npm_lifecycle_event: 'start' });
    await untilOutput(shell, 'ready');
    shell.child.kill('SIGTERM');
    // 'close' comes when the last process that holds the pipes is gone.
    expect(await shell.ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect(shell.output()).toContain('terminations 1');
  });

  it('forwards SIGINT once where no terminal has sent it', async () => {
    const running = launch('--eval', COUNT_INTERRUPTS);
    await untilOutput(running, 'ready');
    running.child.kill('SIGINT');
    expect(await running.ended).toEqual({ code: 1, signal: null });
  });

  it.skipIf(!existsSync('/proc/self/stat') || !existsSync('/usr/bin/script'))(
    'lets a Ctrl-C of the terminal reach the program exactly once (needs Linux and util-linux script)',
    async () => {
      const path = script('count.mjs', COUNT_INTERRUPTS);
      // `exec`: a shell in between would die of the Ctrl-C itself, as dash does.
      const terminal = run('/usr/bin/script', ['-qec', `exec "${process.execPath}" "${LAUNCHER}" "${path}"`, '/dev/null']);
      await untilOutput(terminal, 'ready');
      terminal.child.stdin?.write('\u0003');
      expect(await terminal.ended).toEqual({ code: 1, signal: null });
      expect(terminal.output()).toContain('interrupts 1');
    },
  );
});
