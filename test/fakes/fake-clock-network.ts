/**
 * Calls over a network that takes time, fails before or after the other side has acted, and forgets whom to answer when the caller's
 * process dies. With a seeded source of chance, so that a run can be had again.
 */
import type { FakeClock } from './fake-clock.ts';

/** From 0 up to 1. */
export type Chance = () => number;

/** https://en.wikipedia.org/wiki/Linear_congruential_generator is too regular in its low bits; this mixes them (`mulberry32`, public domain). */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What may go wrong with a call: the error instead of the effect, or after it. */
export interface CallFaults {
  readonly before?: (() => Error) | undefined;
  readonly after?: (() => Error) | undefined;
}

export interface Network {
  /** Has the effect on the other side after a while, and answers after another. */
  call<T>(effect: () => T | Promise<T>, faults?: CallFaults): Promise<T>;
}

export interface NetworkOptions {
  readonly clock: FakeClock;
  readonly chance: Chance;
  /** How much slower than usual it is; 1 is 1 to 20 ms a call. */
  readonly slowness: () => number;
}

export function createNetwork({ clock, chance, slowness }: NetworkOptions): Network {
  const delay = (): number => {
    const usual = 1 + chance() * 19;
    // Now and then one call takes much longer than all others: that is what makes late writers.
    return Math.round(usual * slowness() * (chance() < 0.04 ? 100 : 1));
  };
  const act = async <T>(effect: () => T | Promise<T>, { before, after }: CallFaults): Promise<T> => {
    if (before !== undefined) throw before();
    const result = await effect();
    if (after !== undefined) throw after();
    return result;
  };
  return {
    call: (effect, faults = {}) =>
      new Promise((resolve, reject) => {
        const { life } = clock;
        // The dead hear nothing; what they have sent may arrive all the same.
        const whileAlive = (settle: () => void): void => {
          if (clock.life === life) settle();
        };
        const answer = (settle: () => void): void => {
          if (chance() < 0.7) whileAlive(settle);
          else clock.after(delay(), () => whileAlive(settle));
        };
        clock.after(delay(), () => {
          if (clock.life !== life && chance() < 0.5) return;
          act(effect, faults).then(
            (result) => answer(() => resolve(result)),
            (error: unknown) => answer(() => reject(error)),
          );
        });
      }),
  };
}
