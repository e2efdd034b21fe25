/**
 * Time, passed in so that tests decide it.
 *
 * @module
 */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
