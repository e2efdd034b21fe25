import { describe, expect, test } from 'vitest';
import { bwrapArguments } from '../../../../dev/cluster/node/runtime/bwrap.ts';
import { identify, outsideId } from '../../../../dev/cluster/node/runtime/identity.ts';
import { mountTable } from '../../../../dev/cluster/node/runtime/mount-table.ts';
import { checkMounts, keptFlags, nestedMounts, parseMountInfo } from '../../../../dev/cluster/node/runtime/mounts.ts';
import type { BaseSystem } from '../../../../dev/cluster/node/runtime/mounts.ts';
import { rewritePaths } from '../../../../dev/cluster/node/runtime/paths.ts';
import { launchVariables } from '../../../../dev/cluster/node/runtime/scripts.ts';

const MOUNTINFO = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /etc rw,noatime - tmpfs none rw
24 23 0:6 /resolv /etc/resolv.conf rw,nosuid,nodev,noexec,relatime - ext4 /dev/vda rw
25 22 0:7 / /data\\040x rw,noexec - ext4 /dev/vdb rw
`;

const base: BaseSystem = {
  binds: [
    { source: '/usr', target: '/usr', readOnly: true },
    { source: '/etc', target: '/etc', readOnly: true },
    { source: '/somewhere/node', target: '/node/bin/node', readOnly: true },
  ],
  links: [{ path: '/bin', to: 'usr/bin' }],
  files: ['/node/bin/node'],
  mountPoints: parseMountInfo(MOUNTINFO),
  privateFolders: ['/tmp', '/dev/shm'],
  folders: ['/root'],
};
const workspace = { source: '/data x/ws', target: '/workspace', readOnly: false };

describe('the mounts of a container', () => {
  test('are all read-only but the volumes, and none can hold devices', () => {
    const lines = mountTable('/root', base, [workspace]).trimEnd().split('\n');
    expect(lines).toContain('/usr /root/usr none rbind,ro,nosuid,nodev 0 0');
    expect(lines).toContain('/data\\040x/ws /root/workspace none rbind,nosuid,nodev,noexec 0 0');
    expect(lines.filter((line) => !line.includes('nodev') && !line.startsWith('/dev/'))).toEqual([expect.stringMatching(/^devpts /)]);
    expect(lines.at(-1)).toContain('/root/workspace');
  });

  test('that lie within a read-only tree are made read-only by themselves, with the flags they have', () => {
    expect(nestedMounts(base).map(({ path }) => path)).toEqual(['/etc/resolv.conf']);
    expect(keptFlags(base, '/etc/passwd')).toEqual(['noatime']);
    expect(keptFlags(base, '/data x/ws')).toEqual(['noexec']);
    expect(keptFlags(base, '/datax')).toEqual([]);
  });

  test.each([
    '/usr',
    '/usr/local/x',
    '/bin',
    '/bin/x',
    '/etc/x',
    '/proc/1',
    '/dev',
    '/dev/x',
    '/sys/fs',
    '/',
    '/node',
    '/node/bin',
    '/a/../usr',
    'relative',
    '/a\nb',
  ])('cannot lie on %j', (target) => {
    expect(() => checkMounts([{ source: '/s', target, readOnly: false }], base)).toThrow(/mountPath/);
  });

  test('may lie anywhere else, inner ones after outer ones', () => {
    const targets = ['/a/b', '/tmp', '/dev/shm', '/a', '/var/lib/x', '/usrx'];
    const checked = checkMounts(
      targets.map((target) => ({ source: '/s', target, readOnly: false })),
      base,
    ).map(({ target }) => target);
    expect(checked.toSorted()).toEqual(targets.toSorted());
    expect(checked.indexOf('/a')).toBeLessThan(checked.indexOf('/a/b'));
  });

  test('are the same for bubblewrap, which is told to leave nothing else writable', () => {
    const spec = {
      id: 'c',
      hostname: 'h',
      command: [],
      environment: {},
      directory: '/w',
      user: { uid: 1, gid: 1, groups: [] },
      mounts: [],
      ownMounts: [],
      empty: false,
      heldVolumes: undefined,
      controlGroups: [],
      processLimit: undefined,
    };
    const text = bwrapArguments(spec, base, [workspace]).join(' ');
    expect(text).toContain('--ro-bind /usr /usr');
    expect(text).toContain('--bind /data x/ws /workspace');
    expect(text).toContain('--perms 0755 --dir /node/bin');
    expect(text.endsWith('--remount-ro /dev --remount-ro / --chdir /')).toBe(true);
    expect(text).not.toContain('--tmpfs /workspace');
  });
});

describe('the user of a container', () => {
  const user = { uid: 1000, gid: 1000, groups: [1000, 0, 7] };

  test('is that very user where the cluster is root, without any capability', () => {
    const { outer, start, enter } = identify(user, false);
    expect(outer).toEqual([]);
    for (const command of [start, enter]) {
      expect(command.slice(0, 7)).toEqual(['setpriv', '--reuid', '1000', '--regid', '1000', '--groups', '7']);
      expect(command).toEqual(expect.arrayContaining(['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs']));
    }
    expect(start.join(' ')).toContain('--pdeathsig KILL');
  });

  test.each([
    { uid: 0, gid: 0 },
    { uid: 0, gid: 5 },
    { uid: 1000, gid: 0 },
  ])('is never root outside, neither as user nor as group: %o', ({ uid, gid }) => {
    const command = identify({ uid, gid, groups: [0] }, false).start.join(' ');
    expect(command).toContain(
      `setpriv --reuid ${outsideId(uid)} --regid ${outsideId(gid)} --clear-groups -- unshare --user --map-user=${uid} --map-group=${gid}`,
    );
    expect(outsideId(0)).not.toBe(0);
  });

  test('is mapped to the ordinary user who runs the cluster, within a user namespace that owns the mounts', () => {
    const { outer, start, enter } = identify(user, true);
    expect(outer).toEqual(['unshare', '--user', '--map-root-user', '--']);
    expect(start.slice(0, 4)).toEqual(['unshare', '--user', '--map-user=1000', '--map-group=1000']);
    expect(enter.join(' ')).toBe('nsenter --user=/proc/1/ns/user --preserve-credentials -- setpriv --no-new-privs --');
  });
});

describe('without a mount namespace', () => {
  test.each([
    ['/workspace', '/data x/ws'],
    ['/workspace/a b', '/data x/ws/a b'],
    ['X=/workspace:/bin', 'X=/data x/ws:/bin'],
    ['cd /workspace && ls "/workspace"', 'cd /data x/ws && ls "/data x/ws"'],
    ['/workspaces /workspace.d /a/workspace a/workspace', '/workspaces /workspace.d /a/workspace a/workspace'],
  ])('%j of a manifest is %j', (text, expected) => {
    expect(rewritePaths(text, [workspace])).toBe(expected);
  });

  test('the longest mount path counts, and what was put in is left alone', () => {
    const mounts = [
      { source: '/workspace/x', target: '/a', readOnly: false },
      { source: '/long', target: '/a/b', readOnly: false },
      workspace,
    ];
    expect(rewritePaths('/a/c /a/b/c /workspace', mounts)).toBe('/workspace/x/c /long/c /data x/ws');
  });
});

test('nothing of a command or an environment gets a name of its own among the variables of our tools', () => {
  const variables = launchVariables({
    command: ['a', 'b'],
    environment: { LD_PRELOAD: '/evil.so', PATH: '/p' },
    directory: '/',
    terminal: false,
  });
  expect(Object.keys(variables).filter((name) => !name.startsWith('BERTH_'))).toEqual([]);
  expect(variables).toMatchObject({
    BERTH_ARGUMENT_1: 'b',
    BERTH_VARIABLE_0: 'LD_PRELOAD=/evil.so',
    BERTH_PATH: '/p',
    BERTH_ARGUMENTS: '2',
    BERTH_VARIABLES: '2',
  });
});
