import { describe, expect, it } from 'vitest';
import { add, formatQuantity, parseQuantity, quantityOf } from '../../../../dev/cluster/api/quantity.ts';

describe('quantities', () => {
  const canonical: readonly (readonly [written: string | number, canonical: string])[] = [
    ['0', '0'],
    ['1000m', '1'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['1.', '1'],
    ['250m', '250m'],
    ['1000', '1k'],
    ['1500', '1500'],
    [2, '2'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['512Ki', '512Ki'],
    ['1024', '1024'],
    ['1e3', '1k'],
    ['5E', '5E'],
    ['0.1m', '100u'],
    ['-1', '-1'],
    ['0.5Ki', '512'],
  ];
  it.each(canonical)('%j is %j', (written, expected) => {
    expect(formatQuantity(quantityOf(written))).toBe(expected);
  });

  it.each(['', 'abc', '1.2.3', '1Zi', 'Mi', '1 Gi', '--1', null, undefined, {}, '.'])('%j is not a quantity', (value) => {
    expect(parseQuantity(value)).toBeUndefined();
  });

  it('adds without losing anything and keeps the notation of the first that is not zero', () => {
    expect(formatQuantity(add(quantityOf('100m'), quantityOf('0.2')))).toBe('300m');
    expect(formatQuantity(add(quantityOf('0'), quantityOf('1Gi')))).toBe('1Gi');
    expect(formatQuantity(add(quantityOf('1Gi'), quantityOf('512Mi')))).toBe('1536Mi');
  });
});
