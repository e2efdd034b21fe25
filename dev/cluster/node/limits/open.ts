/**
 * Finds the control groups that this machine lets us use.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { openVersion1 } from './cgroup-v1.ts';
import { openVersion2 } from './cgroup-v2.ts';
import type { ControlGroups } from './port.ts';

const MOUNT = '/sys/fs/cgroup';

/** `name`: of the node's group, unique on the machine. `undefined` where there are none for us. */
export function openControlGroups(name: string): ControlGroups | undefined {
  if (existsSync(`${MOUNT}/cgroup.controllers`)) {
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    return own === undefined ? undefined : openVersion2(MOUNT, own, name);
  }
  return openVersion1(MOUNT, name);
}
