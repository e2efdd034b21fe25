/**
 * Who a container runs as. It never has a capability and can never gain one; and it is never root on the machine, whose root may write
 * to `/proc/sys` without any capability.
 *
 * - The cluster runs as root and the pod as an ordinary user: that very uid and gid of the machine.
 * - The cluster runs as root and the pod as root: a user namespace of one entry, root inside, an unused uid outside.
 * - The cluster runs as an ordinary user: an outer user namespace whose root owns the other namespaces, and in it one of one entry
 *   for the container, so that the container has no power over its own mounts.
 *
 * @module
 */
import type { User } from './port.ts';

/** What root inside a pod is on the machine where the cluster itself runs as root. */
const ROOT_OUTSIDE = 100_000;

const NO_CAPABILITIES = ['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs'];

export interface Identity {
  /** Puts a program of the outer user namespace, if any, in front. */
  readonly outer: readonly string[];
  /** From the builder of the container to its command; dies with the monitor. */
  readonly start: readonly string[];
  /** From inside the container's namespaces to a further command. */
  readonly enter: readonly string[];
}

/** The numbers on the machine, for files that the container must own. */
export function outsideId(id: number): number {
  return id === 0 ? ROOT_OUTSIDE : id;
}

export function identify({ uid, gid, groups }: User, rootless: boolean): Identity {
  const death = ['--pdeathsig', 'KILL'];
  if (!rootless && uid !== 0 && gid !== 0) {
    const others = groups.filter((group) => group !== 0 && group !== gid);
    const supplementary = others.length === 0 ? ['--clear-groups'] : ['--groups', others.join(',')];
    const change = ['setpriv', '--reuid', String(uid), '--regid', String(gid), ...supplementary, ...NO_CAPABILITIES];
    return { outer: [], start: [...change, ...death, '--'], enter: [...change, '--'] };
  }
  const outside = rootless ? [] : ['setpriv', '--reuid', String(outsideId(uid)), '--regid', String(outsideId(gid)), '--clear-groups', '--'];
  const map = ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--keep-caps', '--'];
  // nsenter cannot keep capabilities for a uid other than 0, and without them the bounding set cannot be emptied; no_new_privs makes
  // it mean nothing.
  const drop = ['setpriv', ...(uid === 0 ? NO_CAPABILITIES : ['--no-new-privs']), '--'];
  const credentials = rootless ? ['--preserve-credentials'] : ['--setuid', String(uid), '--setgid', String(gid)];
  return {
    outer: rootless ? ['unshare', '--user', '--map-root-user', '--'] : [],
    start: [...outside, ...map, 'setpriv', ...NO_CAPABILITIES, ...death, '--'],
    enter: ['nsenter', '--user=/proc/1/ns/user', ...credentials, '--', ...drop],
  };
}
