/**
 * Chooses the runtime by trying it: whether a machine allows namespaces cannot be read anywhere.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Runtime, RuntimeName } from './port.ts';
import { TOOL_PATH } from './scripts.ts';

export interface Choice {
  readonly runtime: Runtime;
  /** Why the better ones were passed over. */
  readonly refused: readonly string[];
}

/** The first of the candidates that can run a container, best first; the last one is taken untried. Rejects where a named one cannot. */
export async function chooseRuntime(candidates: readonly Runtime[], wanted: RuntimeName | 'auto'): Promise<Choice> {
  const refused: string[] = [];
  const eligible = candidates.filter(({ name }) => wanted === 'auto' || name === wanted);
  for (const runtime of eligible) {
    const problem = runtime.name === 'plain' ? undefined : await tryRuntime(runtime);
    if (problem === undefined) return { runtime, refused };
    refused.push(`${runtime.name}: ${problem}`);
  }
  throw new Error(`the sandbox ${wanted} does not work on this machine: ${refused.join('; ')}`);
}

async function tryRuntime(runtime: Runtime): Promise<string | undefined> {
  try {
    const container = await runtime.start({
      id: randomBytes(8).toString('hex'),
      hostname: 'try',
      command: ['sleep', '60'],
      environment: { PATH: TOOL_PATH },
      directory: '/',
      user: { uid: 1000, gid: 1000, groups: [] },
      mounts: [],
      ownMounts: [],
      empty: false,
      heldVolumes: undefined,
      controlGroups: [],
      processLimit: undefined,
    });
    container.stdout.resume();
    container.stderr.resume();
    try {
      const process = await container.exec({ command: ['true'], stdin: false, stdout: false, stderr: false, tty: false });
      const code = await process.exitCode;
      return code === 0 ? undefined : `a command in it ended with ${code}`;
    } finally {
      container.kill();
      await container.exit;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
