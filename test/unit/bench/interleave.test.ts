import { describe, expect, it } from 'vitest';
import { interleave } from '../../../bench/interleave.ts';

describe('interleaved measuring', () => {
  it('measures every subject once a round in turning order, and drops the warm-up', async () => {
    const calls: string[] = [];
    const subject = (name: string) => () => {
      calls.push(name);
      return Promise.resolve(calls.length);
    };
    const samples = await interleave({ a: subject('a'), b: subject('b') }, { rounds: 3, warmUp: 1 });
    expect(calls.join('')).toBe('abbaabba');
    expect(samples).toEqual({ a: [4, 5, 8], b: [3, 6, 7] });
  });

  it('ends with the first subject that fails', async () => {
    const broken = () => Promise.reject(new Error('pod gone'));
    await expect(interleave({ broken }, { rounds: 5, warmUp: 0 })).rejects.toThrow('pod gone');
  });
});
