import { hkdfSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { installationKeyId, podHelperSecret } from '../../../shared/helper/secret.ts';

const key = Buffer.from('a key of an installation, long enough');
const context = { sessionId: 's1', generation: 2, nonce: 'n' };

describe("a pod's secret", () => {
  test('is 32 bytes of HKDF-SHA256 over all that tells the pod from others', () => {
    const expected = new Uint8Array(hkdfSync('sha256', key, '', 'helper\0s1\x002\0n', 32));
    expect(podHelperSecret(key, context)).toEqual(expected);
    expect(expected).toHaveLength(32);
  });

  test.each([
    ['session', { ...context, sessionId: 's' }],
    ['generation', { ...context, generation: 3 }],
    ['nonce', { ...context, nonce: 'm' }],
    ['border between its parts', { sessionId: 's', generation: 12, nonce: 'n' }],
  ])('is another for another %s', (_what, other) => {
    expect(podHelperSecret(key, other)).not.toEqual(podHelperSecret(key, context));
  });

  test('is another under another key', () => {
    expect(podHelperSecret(randomBytes(32), context)).not.toEqual(podHelperSecret(key, context));
  });

  test('cannot be made to collide by a NUL', () => {
    expect(() => podHelperSecret(key, { ...context, sessionId: 's1\x002' })).toThrow(TypeError);
  });
});

describe('the id of an installation key', () => {
  test('is the same for the same key, another for another, and no part of it', () => {
    expect(installationKeyId(key)).toMatch(/^[0-9a-f]{16}$/);
    expect(installationKeyId(Buffer.from(key))).toBe(installationKeyId(key));
    expect(installationKeyId(randomBytes(32))).not.toBe(installationKeyId(key));
    expect(key.toString('hex')).not.toContain(installationKeyId(key));
  });
});
