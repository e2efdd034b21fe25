/**
 * The real helper, built from `helper/` and run in a folder of its own, without a pod. Connections to it go through a socket of the
 * test's, which counts and can cut them after any number of bytes.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Cut } from './fake-helper.ts';

export const goOnPath = spawnSync('go', ['version']).status === 0;

export interface GoHelper {
  readonly folder: string;
  /** A connection by a real socket. */
  connect(cut?: Cut): Promise<Duplex>;
  /** Bytes that have come from the helper, over all connections. */
  readonly receivedBytes: () => number;
  stop(): Promise<void>;
}

/** Builds (a second, with Go's cache) and starts it. */
export async function startGoHelper(): Promise<GoHelper> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-helper-'));
  const binary = join(folder, 'helper');
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: join(import.meta.dirname, '../../helper'), timeout: 120_000 });
  const child = spawn(binary, ['serve'], { env: { ...process.env, BERTH_DIR: folder }, stdio: 'ignore' });
  const socket = join(folder, 'run', 'helper.sock');
  await listening(child, socket);
  const proxy = new CuttingProxy(socket);
  await proxy.listen(join(folder, 'proxy.sock'));
  return {
    folder,
    connect: (cut) => proxy.connect(cut),
    receivedBytes: () => proxy.receivedBytes,
    stop: async () => {
      proxy.close();
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(child: ChildProcess, path: string): Promise<void> {
  const until = performance.now() + 10_000;
  for (;;) {
    const socket = connect(path);
    const [event] = await Promise.race([
      once(socket, 'connect').then(() => ['connect']),
      once(socket, 'close').then(() => ['close']),
    ]).catch(() => ['error']);
    socket.destroy();
    if (event === 'connect') return;
    if (child.exitCode !== null || performance.now() > until) throw new Error('The helper did not start.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class CuttingProxy {
  receivedBytes = 0;
  readonly #target: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cuts: (Cut | undefined)[] = [];
  #path = '';

  constructor(target: string) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near, this.#cuts.shift() ?? {}));
  }

  async listen(path: string): Promise<void> {
    this.#path = path;
    this.#server.listen(path);
    await once(this.#server, 'listening');
  }

  async connect(cut: Cut | undefined): Promise<Duplex> {
    this.#cuts.push(cut);
    const socket = this.#own(connect(this.#path));
    await once(socket, 'connect');
    return socket;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #own(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    return socket.on('close', () => this.#sockets.delete(socket));
  }

  #join(near: Socket, cut: Cut): void {
    this.#own(near);
    const far = this.#own(connect(this.#target));
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    near.on('close', end);
    far.on('close', end);
    pump(near, far, cut.afterSent ?? Infinity, end);
    pump(far, near, cut.afterReceived ?? Infinity, end, (bytes) => (this.receivedBytes += bytes));
  }
}

function pump(from: Socket, to: Socket, limit: number, cut: () => void, count: (bytes: number) => void = () => undefined): void {
  let left = limit;
  from.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, left);
    left -= part.length;
    count(part.length);
    const more = to.write(part, () => {
      if (left === 0) cut();
    });
    if (more) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
}
