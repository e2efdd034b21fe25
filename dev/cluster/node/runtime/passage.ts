/**
 * The way of a command from our tools into a container: at its start from the builder of the root, later by joining the namespaces.
 *
 * - An image that shows the machine's programs: `setpriv`, `prlimit` and a shell do the last steps, inside.
 * - An image without any program: nothing can run inside but what is mounted there, so `helper launch` does all of them.
 *
 * @module
 */
import { terminalHelper } from './container-exec.ts';
import { identify, outsideId } from './identity.ts';
import { StartError } from './port.ts';
import type { ContainerSpec } from './port.ts';
import { HELPER_PATH, shellLauncher } from './scripts.ts';

export interface Passage {
  /** Puts a program of the outer user namespace, if any, in front of the builder. */
  readonly outer: readonly string[];
  /** What follows the builder, up to PID 1's launcher, and what that reads. */
  readonly start: readonly string[];
  readonly startVariables: Readonly<Record<string, string>>;
  /** From a fresh process of the machine to a launcher inside. `monitor`, `pid`: as the machine counts them. */
  enter(monitor: number, pid: number, terminal: boolean): readonly string[];
  readonly enterVariables: Readonly<Record<string, string>>;
}

const NAMESPACES = { mount: 'mnt', pid: 'pid', ipc: 'ipc', uts: 'uts' } as const;

function join(pid: number): readonly string[] {
  return Object.entries(NAMESPACES).map(([option, file]) => `--${option}=/proc/${pid}/ns/${file}`);
}

function userNamespace(pid: number): readonly string[] {
  return [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'];
}

/** `helper`: the machine's; it is mounted in the container. */
export function shellPassage({ user, processLimit }: ContainerSpec, rootless: boolean, helper: string | undefined): Passage {
  const identity = identify(user, rootless);
  const limit = processLimit === undefined ? [] : ['prlimit', `--nproc=${processLimit}:${processLimit}`];
  return {
    outer: identity.outer,
    start: [...identity.start, ...limit, ...shellLauncher()],
    startVariables: {},
    enter: (monitor, pid, terminal) => {
      const last = shellLauncher(terminal ? terminalHelper(helper) && HELPER_PATH : undefined);
      return ['nsenter', ...(rootless ? userNamespace(monitor) : []), ...join(pid), '--', ...identity.enter, ...limit, ...last];
    },
    enterVariables: {},
  };
}

/**
 * `root`: the folder that the builder has made a root of. Where the cluster runs as an ordinary user, the container gets a user namespace of
 * its own (as `identity.ts` has it), with a mount namespace that belongs to it, since the turn into the root comes after. Throws
 * `StartError` for a container of root: only a program of the machine could make a user namespace for it.
 */
export function emptyPassage({ user, processLimit }: ContainerSpec, rootless: boolean, helper: string, root: string): Passage {
  const { uid, gid, groups } = user;
  if (uid === 0)
    throw new StartError('CreateContainerError', 'failed to create containerd container: an image without files cannot run as root here');
  const own = ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--mount', '--keep-caps', '--'];
  const numbers = `${uid}:${outsideId(gid)}:${groups.map(outsideId).join(',')}`;
  const variables = { BERTH_USER: rootless ? '' : numbers, BERTH_PROCESSES: String(processLimit ?? '') };
  return {
    outer: identify(user, rootless).outer,
    start: [...(rootless ? own : []), helper, 'launch'],
    startVariables: { ...variables, BERTH_ROOT_FOLDER: root, BERTH_DEATH_SIGNAL: '1' },
    enter: (monitor, pid) => [
      ...(rootless ? ['nsenter', ...userNamespace(monitor), '--'] : []),
      ...['nsenter', ...join(pid), ...(rootless ? userNamespace(pid) : []), '--', HELPER_PATH, 'launch'],
    ],
    enterVariables: variables,
  };
}
