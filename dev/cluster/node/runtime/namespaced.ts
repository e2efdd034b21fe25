/**
 * A container in namespaces of its own, whichever tool made them: `unshare` and `bwrap` differ only in how the root comes about.
 *
 * The chain of deaths: the cluster's main thread dies -> the monitor, its child, gets KILL (`setpriv --pdeathsig`; the signal follows
 * the thread that started it) -> PID 1, the monitor's child, gets KILL -> the kernel ends everything in its pid namespace, exec'd
 * commands included. A change of user clears the signal, so the last `setpriv` sets it again.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { descendants, listProcesses, onlyDescendant, sendSignal } from '../process-tree.ts';
import { describeProblem, execInContainer } from './container-exec.ts';
import { launch } from './launch.ts';
import type { Launched } from './launch.ts';
import type { Passage } from './passage.ts';
import type { PipePool } from './pipes.ts';
import { StartError } from './port.ts';
import type { ContainerSpec, RunningContainer } from './port.ts';
import { ENTER, launchVariables, NODE_VARIABLE, TOOL_PATH } from './scripts.ts';

export interface NamespacedRequest {
  readonly spec: ContainerSpec;
  readonly passage: Passage;
  /** Makes the namespaces and the root; the arguments of what runs inside follow. */
  readonly builder: readonly string[];
  readonly builderVariables: Readonly<Record<string, string>>;
  /** Where PID 1 does not report its number: how far below the monitor it is. */
  readonly depth?: number;
  /** Marks the tools on the way, so that a later start finds what is left of them. */
  readonly nodeId: string;
}

const ENTER_SCRIPT = ['/bin/sh', '-c', ENTER, 'sh'];
const ENDED_WITHIN_MS = 1000;
/** Never handed to `kill`, where 0 means this whole process group. */
const NO_PID = 0;

/** Rejects with `StartError`. */
export async function startNamespaced(pipes: PipePool, request: NamespacedRequest): Promise<RunningContainer> {
  const { spec, passage, builder } = request;
  const outer = spec.heldVolumes?.enter ?? passage.outer;
  const launched = await launch(pipes, {
    argv: ['setpriv', '--pdeathsig', 'KILL', '--', ...ENTER_SCRIPT, ...outer, ...builder, ...passage.start],
    environment: {
      PATH: TOOL_PATH,
      BERTH_PARENT: String(process.pid),
      [NODE_VARIABLE]: request.nodeId,
      BERTH_CONTROL_GROUPS: spec.controlGroups.join(' '),
      ...request.builderVariables,
      ...passage.startVariables,
      ...launchVariables({ command: spec.command, environment: spec.environment, directory: spec.directory, terminal: false }),
    },
    stdin: false,
    stdout: true,
    stderr: true,
  });
  const outcome = await launched.outcome;
  const found = request.depth === undefined ? launched.pid() : onlyDescendant(launched.child.pid ?? 0, request.depth);
  const pid = outcome.type === 'started' ? (found ?? (await pidOfEnded(launched))) : found;
  if (outcome.type !== 'started' || pid === undefined || launched.stdout === undefined || launched.stderr === undefined) {
    await launched.exit;
    const words = await readAll(launched);
    if (outcome.type === 'failed')
      throw new StartError(
        'StartError',
        `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${describeProblem(outcome, spec.command, spec.directory)}: unknown`,
      );
    const text = outcome.type === 'ended' ? outcome.text : 'PID 1 is not known';
    throw new StartError('CreateContainerError', `failed to create containerd container: ${[text, words].filter(Boolean).join('; ')}`);
  }
  return container(pipes, request, launched, pid, { stdout: launched.stdout, stderr: launched.stderr });
}

/**
 * A command may end before its number was looked up: then no number is needed any more. One that is still there
 * and cannot be found is killed, for nobody could enter or end it.
 */
async function pidOfEnded(launched: Launched): Promise<number | undefined> {
  const late = new AbortController();
  const ended = await Promise.race([
    launched.exit.then(() => true),
    sleep(ENDED_WITHIN_MS, false, { signal: late.signal }).catch(() => false),
  ]);
  late.abort();
  if (ended) return NO_PID;
  launched.child.kill('SIGKILL');
  return undefined;
}

async function readAll({ stdout, stderr }: Launched): Promise<string> {
  const chunks: Uint8Array[] = [];
  for (const stream of [stdout, stderr]) if (stream !== undefined) for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString().trim();
}

function container(
  pipes: PipePool,
  { spec, passage }: NamespacedRequest,
  launched: Launched,
  pid: number,
  streams: Pick<RunningContainer, 'stdout' | 'stderr'>,
): RunningContainer {
  const commands = new Set<number>();
  const monitor = launched.child.pid ?? 0;
  let ended = pid === NO_PID;
  void launched.exit.then(() => (ended = true));
  return {
    pid,
    ...streams,
    exit: launched.exit.then((exitCode) => ({ exitCode: wasKilled(launched) ? 137 : exitCode })),
    exec: (options) =>
      execInContainer(
        {
          pipes,
          enter: (terminal) => [...ENTER_SCRIPT, ...passage.enter(monitor, pid, terminal)],
          enterVariables: { BERTH_CONTROL_GROUPS: spec.controlGroups.join(' '), ...passage.enterVariables },
          environment: spec.environment,
          directory: spec.directory,
          onStart: (command, exit) => {
            commands.add(command);
            void exit.then(() => commands.delete(command));
          },
        },
        options,
      ),
    // Once the monitor has gone, the kernel may have given PID 1's number to another process.
    terminate: () => (ended ? undefined : sendSignal(pid, 'SIGTERM')),
    kill: () => (ended ? undefined : sendSignal(pid, 'SIGKILL')),
    processes: () => [...descendants(listProcesses(), ended ? [...commands] : [pid, ...commands])],
  };
}

/** unshare up to 2.38 means to end by the signal that ended its child, and fails at it where that is KILL. */
function wasKilled(launched: Launched): boolean {
  return /^unshare: sigprocmask/m.test(launched.text());
}
