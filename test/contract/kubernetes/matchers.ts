/**
 * Vitest's matchers within an object, which are `any` there, as values that are not.
 *
 * @module
 */
import { expect } from 'vitest';

export const containing = (text: string): unknown => expect.stringContaining(text);
export const notContaining = (text: string): unknown => expect.not.stringContaining(text);
export const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
export const aDate: unknown = expect.any(Date);
