import { describe, expect, it } from 'vitest';
import { mountPathFault } from '../../../shared/storage/mount-path.ts';

describe('a mount path', () => {
  for (const path of ['/workspace', '/workspace/data', '/data', '/bucket', '/home/me', '/usr/local/share/x', '/var/lib/x', '/tmpfiles']) {
    it(`may be ${path}`, () => {
      expect(mountPathFault(path)).toBeUndefined();
    });
  }

  const closed: readonly (readonly [string, RegExp])[] = [
    ['workspace', /absolute/],
    ['', /absolute/],
    ['/', /own programs/],
    ['/etc', /own programs/],
    ['/usr/bin', /own programs/],
    ['/a/../etc', /shortest form/],
    ['/a//b', /shortest form/],
    ['/a/', /shortest form/],
    ['/a/.', /shortest form/],
    ['/proc', /at or below \/proc/],
    ['/proc/1', /at or below \/proc/],
    ['/dev/shm', /at or below \/dev/],
    ['/sys/fs', /at or below \/sys/],
    ['/berth/bin', /at or below \/berth/],
    ['/tmp/x', /at or below \/tmp/],
    ['/run/secrets', /at or below \/run/],
    ['/var/run/secrets/kubernetes.io', /at or below \/var\/run/],
    ['/a:b', /colon/],
    ['/a\nb', /control/],
  ];
  for (const [path, words] of closed) {
    it(`cannot be ${JSON.stringify(path)}`, () => {
      expect(mountPathFault(path)).toMatch(words);
    });
  }
});
