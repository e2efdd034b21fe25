import { expect, test } from 'vitest';
import { cacheHeaders, type FreshHeaders } from '../../../shared/kubernetes/cached-headers.ts';

/** Makes `token-1`, `token-2`, … each good for 100 ms and usable for 200. */
function source(): { make: () => Promise<FreshHeaders>; clock: { now: number }; made: () => number; fail: (failing: boolean) => void } {
  const clock = { now: 0 };
  let made = 0;
  let failing = false;
  const make = async (): Promise<FreshHeaders> => {
    made += 1;
    if (failing) throw new Error('no token');
    return { headers: { authorization: `token-${String(made)}` }, renewAt: clock.now + 100, usableUntil: clock.now + 200 };
  };
  return { make, clock, made: () => made, fail: (value) => (failing = value) };
}

test('many first callers at once share one refresh', async () => {
  const { make, clock, made } = source();
  const cache = cacheHeaders(make, { now: () => clock.now });
  const headers = await Promise.all(Array.from({ length: 20 }, () => cache.headers()));
  expect(new Set(headers.map(({ authorization }) => authorization))).toEqual(new Set(['token-1']));
  expect(made()).toBe(1);
});

test('headers are renewed before they end, and not sooner', async () => {
  const { make, clock } = source();
  const cache = cacheHeaders(make, { now: () => clock.now });
  await cache.headers();
  clock.now = 99;
  expect(await cache.headers()).toEqual({ authorization: 'token-1' });
  clock.now = 100;
  expect(await cache.headers()).toEqual({ authorization: 'token-2' });
});

test('a failed renewal is hidden while the last headers still work, and only then', async () => {
  const { make, clock, fail } = source();
  const cache = cacheHeaders(make, { now: () => clock.now });
  await cache.headers();
  fail(true);
  clock.now = 150;
  expect(await cache.headers()).toEqual({ authorization: 'token-1' });
  clock.now = 200;
  await expect(cache.headers()).rejects.toThrow('no token');
});

test('a failure is not remembered', async () => {
  const { make, fail } = source();
  const cache = cacheHeaders(make);
  fail(true);
  await expect(cache.headers()).rejects.toThrow('no token');
  fail(false);
  expect(await cache.headers()).toEqual({ authorization: 'token-2' });
});

test('refused headers are made anew', async () => {
  const { make, clock } = source();
  const cache = cacheHeaders(make, { now: () => clock.now });
  await cache.headers();
  cache.expireHeaders();
  expect(await cache.headers()).toEqual({ authorization: 'token-2' });
});
