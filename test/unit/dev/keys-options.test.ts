import { describe, expect, it } from 'vitest';
import { parseKeysCommand } from '../../../dev/keys-options.ts';

describe('parseKeysCommand', () => {
  it('reads each command', () => {
    expect(parseKeysCommand(['create', '--kind', 'user', '--user', 'alice', '--name', 'ci', '--ttl-minutes', '60'])).toEqual({
      action: 'create',
      kind: 'user',
      user: 'alice',
      name: 'ci',
      ttlMinutes: 60,
    });
    expect(parseKeysCommand(['create', '--kind', 'service'])).toEqual({
      action: 'create',
      kind: 'service',
      user: null,
      name: null,
      ttlMinutes: null,
    });
    expect(parseKeysCommand(['list', '--user', 'bob'])).toEqual({ action: 'list', user: 'bob' });
    expect(parseKeysCommand(['revoke', 'k1'])).toEqual({ action: 'revoke', id: 'k1' });
    expect(parseKeysCommand(['--help'])).toEqual({ action: 'help' });
  });

  const wrong: readonly (readonly [readonly string[], string])[] = [
    [[], 'say what to do'],
    [['destroy'], 'there is no "destroy"'],
    [['create'], '--kind'],
    [['create', '--kind', 'root'], '--kind'],
    [['create', '--kind', 'user'], '--user'],
    [['create', '--kind', 'user', '--user', 'a b'], '--user'],
    [['create', '--kind', 'admin', '--ttl-minutes', '0'], '--ttl-minutes'],
    [['revoke'], 'by its id'],
    [['revoke', 'a', 'b'], '"b"'],
    [['list', 'x'], '"x"'],
    [['list', '--colour'], '--colour'],
  ];
  for (const [argv, words] of wrong) {
    it(`refuses "${argv.join(' ')}" and shows the usage`, () => {
      expect(() => parseKeysCommand(argv)).toThrow(words);
      expect(() => parseKeysCommand(argv)).toThrow('Usage:');
    });
  }
});
