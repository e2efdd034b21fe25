/**
 * A bundled unit as a child process, the way Cloud Run starts it.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Imports the module named in its first argument, then writes how long that took and on which port the unit listens. */
const PROBE = `
  import { pathToFileURL } from 'node:url';
  import { Server } from 'node:net';
  const listening = Promise.withResolvers();
  const { listen } = Server.prototype;
  Server.prototype.listen = function (...rest) { this.once('listening', () => listening.resolve(this.address().port)); return listen.apply(this, rest); };
  const started = performance.now();
  await import(pathToFileURL(process.argv[1]).href);
  const importMs = performance.now() - started;
  console.log('PROBE ' + JSON.stringify({ importMs, port: await listening.promise }));
`;

export interface BundledUnit {
  /** From the first byte of the entry file read to the unit listening: all that its top level does. */
  readonly importMs: number;
  /** `performance.now()` of this process when the child was started. */
  readonly startedAt: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the bundle with exactly this environment and resolves when it listens. Rejects with its output where it ends before. */
export async function startBundledUnit(file: string, env: Readonly<Record<string, string>>): Promise<BundledUnit> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROBE, file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let output = '';
  const probe = new Promise<{ importMs: number; port: number }>((resolve, reject) => {
    const collect = (bytes: Buffer): void => {
      output += bytes.toString();
      const line = /^PROBE (.*)$/m.exec(output)?.[1];
      if (line !== undefined) resolve(JSON.parse(line) as { importMs: number; port: number });
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('exit', (code) => reject(new Error(`the unit ended with ${code}: ${output}`)));
  });
  const { importMs, port } = await probe;
  return {
    importMs,
    startedAt,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
