/**
 * Which ports a pod listens on. Pods share the machine's network, so a connection to an address of a pod could end at a program of the
 * machine, or of another pod, that listens on all addresses; what belongs to the pod is known by its processes' sockets.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface Listener {
  /** In the kernel's hexadecimal. */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

const LISTENING = '0A';
const LOOPBACK_4 = '0100007F';
const LOOPBACK_6 = '00000000000000000000000001000000';

/** The lines of `/proc/net/tcp` and `tcp6` (https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html) that listen. */
export function parseListeners(text: string): readonly Listener[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING)
    .map((fields) => {
      const [address = '', port = ''] = (fields[1] ?? '').split(':');
      return { address, port: Number.parseInt(port, 16), inode: fields[9] ?? '' };
    });
}

/** Where to connect to, one after the other, for a port on which one of these processes listens; nowhere where none does. */
export function addressesOfListener(pids: readonly number[], port: number, podAddress: string): readonly string[] {
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((file) => parseListeners(readOptional(file)))
    .filter((item) => item.port === port);
  if (listeners.length === 0) return [];
  const own = socketsOf(pids);
  const found = listeners.find(({ inode }) => own.has(inode));
  if (found === undefined) return [];
  if (found.address === LOOPBACK_4) return ['127.0.0.1'];
  if (found.address === LOOPBACK_6) return ['::1'];
  // One that listens on all addresses of IPv6 may do without those of IPv4.
  return found.address.length === LOOPBACK_6.length ? [podAddress, '::1'] : [podAddress];
}

function socketsOf(pids: readonly number[]): ReadonlySet<string> {
  return new Set(pids.flatMap((pid) => descriptors(pid).map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')));
}

/** Of a process that has ended meanwhile, or that we may not look at, there are none. */
function descriptors(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => readLink(`/proc/${pid}/fd/${name}`));
  } catch {
    return [];
  }
}

function readLink(path: string): readonly string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
