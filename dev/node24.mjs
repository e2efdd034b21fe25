/**
 * `node dev/node24.mjs PROGRAM [ARGUMENT...]` runs PROGRAM with Node 24 or newer: a file (it has a slash), the command of an
 * installed package (`vitest`), or flags of Node itself (they start with a dash).
 *
 * Node's TypeScript support and `node:sqlite` need Node 24, while machines still come with 20 and 22. This file therefore stays
 * plain JavaScript that Node 18 can read. The binary is taken from its package and not from `node_modules/.bin/node`, which
 * npm 10 deletes again.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules');
const packaged = join(modules, `node-${process.platform}-${process.arch}`, 'bin', 'node');
const [program = '--version', ...rest] = process.argv.slice(2);

function refuse() {
  const found = `Node ${process.version} on ${process.platform}-${process.arch}`;
  console.error(`Berth needs Node 24 or newer and found ${found}: install Node 24 (on Linux with glibc, "npm ci" brings it).`);
  process.exit(1);
}

function chooseNode() {
  if (Number.parseInt(process.versions.node, 10) >= 24) return process.execPath;
  return existsSync(packaged) ? packaged : refuse();
}

function locate() {
  if (program.startsWith('-') || program.includes('/')) return program;
  const command = join(modules, '.bin', program);
  if (existsSync(command)) return realpathSync(command);
  console.error(`No installed package has the command "${program}"; run "npm ci" first.`);
  return process.exit(1);
}

/** Whether the terminal itself sends Ctrl-C to this process and its child alike; forwarding it would deliver it twice. */
function isInForeground() {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ');
    return fields[2] === fields[5]; // process group, and the terminal's foreground group (proc(5))
  } catch {
    return process.stdin.isTTY === true;
  }
}

const node = chooseNode();
const path = [dirname(node), process.env.PATH].filter(Boolean).join(delimiter);
const env = { ...process.env, PATH: path, BERTH_LAUNCHER_PID: String(process.pid) };
const child = spawn(node, [locate(), ...rest], { stdio: 'inherit', env });
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGINT', () => isInForeground() || child.kill('SIGINT'));
if (process.env.npm_lifecycle_event !== undefined) {
  // npm passes SIGTERM to its shell alone, which dies of it and leaves this process to init.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 200).unref();
}
child.on('error', refuse); // the packaged binary needs glibc
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
  if (signal === null) return;
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
