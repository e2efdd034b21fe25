/**
 * Containers as plain processes: for machines that allow no namespaces, and macOS. No isolation at all, and said so loudly; what is
 * kept is the life cycle: whatever a container starts ends with it.
 *
 * @module
 */
import { descendants, listProcesses, markedProcesses, sendSignal } from '../process-tree.ts';
import { describeProblem, execInContainer, terminalHelper } from './container-exec.ts';
import type { ExecContext } from './container-exec.ts';
import { identify } from './identity.ts';
import { launch } from './launch.ts';
import type { Launched } from './launch.ts';
import { linkNested, rewritePaths, ShortPaths } from './paths.ts';
import type { PipePool } from './pipes.ts';
import { StartError } from './port.ts';
import type { ContainerSpec, RunningContainer, Runtime } from './port.ts';
import { ENTER, launchVariables, NODE_VARIABLE, shellLauncher, TOOL_PATH } from './scripts.ts';

export interface PlainOptions {
  readonly pipes: PipePool;
  /** In the environment of every process, with this value: how they are found again. */
  readonly nodeId: string;
  /** Take the pod's user, which only root can. */
  readonly changeUser: boolean;
  /** `<this>/python/bin`, `<this>/node/bin`: what the images' PATHs name, on the machine. */
  readonly toolFolder: string;
  /** For links to volumes; made if need be. Its own path is to be short. */
  readonly linkFolder: string;
  readonly helper: string | undefined;
}

const CONTAINER_VARIABLE = 'BERTH_CONTAINER';

export function createPlainRuntime({ pipes, nodeId, changeUser, toolFolder, linkFolder, helper }: PlainOptions): Runtime {
  const shortPaths = new ShortPaths(linkFolder);
  return {
    name: 'plain',
    runsEmptyImages: false,
    async start(original) {
      linkNested(original.mounts);
      const given = { ...original, mounts: shortPaths.link(original.mounts) };
      const spec = onTheMachine(given, nodeId, toolFolder);
      const identity = changeUser ? identify({ ...spec.user, uid: outside(spec.user.uid), gid: outside(spec.user.gid) }, false).enter : [];
      const enter = ['/bin/sh', '-c', ENTER, 'sh', ...identity];
      const enterVariables = { BERTH_CONTROL_GROUPS: spec.controlGroups.join(' ') };
      const launched = await launch(pipes, {
        argv: [...enter, ...shellLauncher()],
        environment: {
          PATH: process.env['PATH'] ?? TOOL_PATH,
          ...enterVariables,
          ...launchVariables({ command: spec.command, environment: spec.environment, directory: spec.directory, terminal: false }),
        },
        stdin: false,
        stdout: true,
        stderr: true,
      });
      const outcome = await launched.outcome;
      if (outcome.type !== 'started' || launched.stdout === undefined || launched.stderr === undefined) {
        throw new StartError('StartError', `unable to start container process: ${describeProblem(outcome, spec.command, spec.directory)}`);
      }
      const context = {
        pipes,
        enter: (terminal: boolean) => [...enter, ...shellLauncher(terminal ? terminalHelper(helper) : undefined)],
        enterVariables,
        environment: spec.environment,
        directory: spec.directory,
      };
      return plainContainer(context, spec, launched);
    },
  };
}

/** Root's own uid is not for a container, not even here. */
function outside(id: number): number {
  return id === 0 ? 100_000 : id;
}

function onTheMachine(spec: ContainerSpec, nodeId: string, toolFolder: string): ContainerSpec {
  const rewrite = (text: string): string => rewritePaths(text, spec.mounts);
  const environment = Object.fromEntries(Object.entries(spec.environment).map(([name, value]) => [name, rewrite(value)]));
  const path = (environment['PATH'] ?? '').replaceAll(/(^|:)\/(node|python)\/bin/g, `$1${toolFolder}/$2/bin`);
  return {
    ...spec,
    command: spec.command.map(rewrite),
    environment: { ...environment, PATH: path, [NODE_VARIABLE]: nodeId, [CONTAINER_VARIABLE]: spec.id },
    directory: rewrite(spec.directory),
  };
}

function plainContainer(context: ExecContext, spec: ContainerSpec, launched: Launched): RunningContainer {
  const pid = launched.child.pid ?? 0;
  const commands = new Set<number>();
  const { processes, kill } = processTree(pid, spec.id, commands);
  let ended = false;
  // PID 1 of a pid namespace takes all others with it; here that is our work.
  const exit = launched.exit.then((exitCode) => {
    ended = true;
    kill();
    return { exitCode };
  });
  return {
    pid,
    stdout: launched.stdout ?? fail(),
    stderr: launched.stderr ?? fail(),
    exit,
    exec: (options) =>
      execInContainer(
        {
          ...context,
          onStart: (command, exited) => {
            commands.add(command);
            void exited.then(() => commands.delete(command));
          },
        },
        { ...options, command: options.command.map((argument) => rewritePaths(argument, spec.mounts)) },
      ),
    terminate: () => (ended ? undefined : sendSignal(pid, 'SIGTERM')),
    kill,
    processes,
  };
}

/** All that a container has started: of its session, with its mark, or below one of those. What drops both marks at once escapes. */
function processTree(pid: number, id: string, commands: ReadonlySet<number>): Pick<RunningContainer, 'processes' | 'kill'> {
  const processes = (): readonly number[] => {
    const all = listProcesses();
    const session = [...all.values()].filter((entry) => entry.session === pid).map((entry) => entry.pid);
    const marked = markedProcesses(`${CONTAINER_VARIABLE}=${id}`);
    return [...descendants(all, [...session, ...marked, ...commands])];
  };
  const kill = (): void => {
    killGroup(pid);
    // What was forked meanwhile is found in the next round; one that finds nothing is the last.
    for (let round = 0; round < 100; round += 1) {
      const left = processes();
      if (left.length === 0) return;
      left.forEach((process) => sendSignal(process, 'SIGKILL'));
    }
  };
  return { processes, kill };
}

function fail(): never {
  throw new Error('the streams of a container are always there');
}

function killGroup(pid: number): void {
  try {
    if (pid > 1) process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is empty.
  }
}
