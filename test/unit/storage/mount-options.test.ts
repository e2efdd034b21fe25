import { describe, expect, it } from 'vitest';
import { mountOptionsFault, splitMountOptions } from '../../../shared/storage/mount-options.ts';

describe('the mount options of a bucket', () => {
  it('are taken one by one or in a list of their own, without those that Berth sets', () => {
    expect(splitMountOptions('implicit-dirs, file-mode=600,uid=1000')).toEqual(['file-mode=600']);
    expect(splitMountOptions(['metadata-cache:ttl-secs:60', 'file-mode=600,file-mode=600'])).toEqual([
      'metadata-cache:ttl-secs:60',
      'file-mode=600',
    ]);
  });

  const allowed = [
    'file-mode=0600',
    'metadata-cache:ttl-secs:-1',
    'file-cache:max-size-mb=100',
    'logging:severity:info',
    'rename-dir-limit=10',
  ];
  for (const option of allowed) {
    it(`may be ${option}`, () => {
      expect(mountOptionsFault([option])).toBeUndefined();
    });
  }

  const refused = [
    'uid=0',
    'gid=0',
    'only-dir=../other',
    'key-file=/etc/key',
    'custom-endpoint=http://x',
    'billing-project=p',
    'o=allow_other',
    'file-mode=x',
    'token-url=http://x',
    'constructor=1',
  ];
  for (const option of refused) {
    it(`cannot be ${option}`, () => {
      expect(mountOptionsFault(['file-mode=600', option])).toBe(`the option "${option}" cannot be set here`);
    });
  }
});
