import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openVersion2 } from '../../../../dev/cluster/node/limits/cgroup-v2.ts';

/** What the kernel makes in a new group is put there beforehand: here it is only files. */
let mount: string;

beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), 'berth-cgroup-'));
});
afterEach(() => {
  rmSync(mount, { recursive: true });
});

function makeGroup(path: string, controllers: string): void {
  mkdirSync(join(mount, path), { recursive: true });
  writeFileSync(join(mount, path, 'cgroup.procs'), '');
  writeFileSync(join(mount, path, 'cgroup.controllers'), `${controllers}\n`);
}

test('makes the groups of the node beside its own, with the limits of the container', () => {
  makeGroup('user/app', 'cpu memory pids');
  makeGroup('user/app/berth-x', 'cpu memory pids');
  const groups = openVersion2(mount, '/user/app/session', 'berth-x');
  expect(groups).toMatchObject({ memory: true, processes: true });
  makeGroup('user/app/berth-x/uid/main', 'cpu memory pids');
  const folder = join(mount, 'user/app/berth-x/uid/main');
  writeFileSync(join(folder, 'memory.events'), 'low 0\noom 3\noom_kill 2\n');
  const group = groups?.create('uid', 'main', { memoryBytes: 64 * 2 ** 20, cpuLimit: 0.5, cpuRequest: 0.25 });
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  expect(group?.joinFiles).toEqual([join(folder, 'cgroup.procs')]);
  expect(group?.oomKills()).toBe(2);
  expect({ memory: read('memory.max'), group: read('memory.oom.group'), cpu: read('cpu.max'), weight: read('cpu.weight') }).toEqual({
    memory: '67108864',
    group: '1',
    cpu: '50000 100000',
    weight: '25',
  });
  expect(readFileSync(join(mount, 'user/app/berth-x/uid/pids.max'), 'utf8')).toBe('512');
});

test('goes further up until it finds controllers, and leaves nothing where there are none', () => {
  makeGroup('user/app', '');
  expect(openVersion2(mount, '/user/app/session', 'berth-x')).toBeUndefined();
  expect(existsSync(join(mount, 'user/app/berth-x'))).toBe(false);
  makeGroup('user/berth-x', 'memory');
  expect(openVersion2(mount, '/user/app/session', 'berth-x')).toMatchObject({ memory: true, processes: false });
});
