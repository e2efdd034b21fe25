import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createKeyedQueue } from '../../../shared/documents/keyed-queue.ts';

it('runs work of one key in line and of other keys beside it', async () => {
  const inLine = createKeyedQueue();
  const events: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    events.push(`${name} begins`);
    await turn();
    events.push(`${name} ends`);
    return name;
  };
  expect(await Promise.all([inLine('a', work('a1')), inLine('a', work('a2')), inLine('b', work('b1'))])).toEqual(['a1', 'a2', 'b1']);
  const of = (name: string): string[] => events.filter((event) => event.startsWith(name));
  expect(of('a')).toEqual(['a1 begins', 'a1 ends', 'a2 begins', 'a2 ends']);
  expect(events.indexOf('b1 begins')).toBeLessThan(events.indexOf('a1 ends'));
});

it('goes on after a failure', async () => {
  const inLine = createKeyedQueue();
  const failing = inLine('a', () => Promise.reject(new Error('no')));
  const next = inLine('a', async () => 'yes');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
