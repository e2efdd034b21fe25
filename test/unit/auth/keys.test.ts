import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseKey } from '../../../shared/auth/keys.ts';
import { equalInConstantTime, Secret } from '../../../shared/auth/secret.ts';
import { newId } from '../../../shared/ids.ts';

describe('parseKey', () => {
  it('takes a key apart, also where its secret has underscores and dashes', () => {
    const id = newId();
    const secret = `_-${'a'.repeat(39)}_-`;
    const key = parseKey(`berth_${id}_${secret}`);
    expect(key?.id).toBe(id);
    expect(key?.secret.reveal()).toBe(secret);
  });

  it('takes nothing else for a key', () => {
    const id = newId();
    const secret = 'a'.repeat(43);
    for (const text of [
      '',
      'berth',
      `berth_${id}`,
      `berth_${id}_${secret}a`,
      ` berth_${id}_${secret}`,
      `berth_${id}_${secret}\n`,
      `other_${id}_${secret}`,
      `berth_${id.slice(1)}_${secret}`,
    ]) {
      expect(parseKey(text)).toBeUndefined();
    }
  });
});

describe('a secret', () => {
  it('prints itself nowhere', () => {
    const secret = new Secret('hunter2');
    const printed = [
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ a: [secret] }),
      JSON.stringify(Object.entries(secret)),
    ];
    expect(printed.join()).not.toContain('hunter2');
    expect(secret.reveal()).toBe('hunter2');
  });

  it('equals only the same text', () => {
    expect(equalInConstantTime('abc', 'abc')).toBe(true);
    expect(equalInConstantTime('abc', 'abd')).toBe(false);
    expect(equalInConstantTime('abc', 'abcd')).toBe(false);
    expect(equalInConstantTime('', 'a')).toBe(false);
  });
});
