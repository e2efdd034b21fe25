import { describe, expect, it } from 'vitest';
import { assertPlainJson } from '../../../shared/http/plain-json.ts';

const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);

describe('assertPlainJson', () => {
  it('lets ordinary objects pass, to 32 levels', () => {
    expect(() => assertPlainJson({})).not.toThrow();
    expect(() => assertPlainJson({ name: '😀', list: [1, null, true, { deep: [] }] })).not.toThrow();
    expect(() => assertPlainJson(nested(32))).not.toThrow();
  });

  it('refuses what is nested more deeply, without overflowing the stack itself', () => {
    expect(() => assertPlainJson(nested(33))).toThrow('32 levels');
    expect(() => assertPlainJson({ a: JSON.parse('['.repeat(200_000) + ']'.repeat(200_000)) as unknown })).toThrow('32 levels');
  });

  it('refuses what is no object', () => {
    for (const value of [null, [], 'x', 1, true]) expect(() => assertPlainJson(value)).toThrow('JSON object');
  });

  it('refuses half a character, in values and in names', () => {
    expect(() => assertPlainJson({ a: ['\udc00'] })).toThrow('surrogate');
    expect(() => assertPlainJson({ a: { '\ud800': 1 } })).toThrow('surrogate');
  });
});
