import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../../dev/lock.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-lock-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('the lock of a folder', () => {
  it('is had by one at a time', () => {
    const file = join(directory, 'lock');
    const unlock = takeLock(file);
    expect(unlock).toBeTypeOf('function');
    expect(takeLock(file)).toBeUndefined();
    unlock?.();
    const again = takeLock(file);
    expect(again).toBeTypeOf('function');
    again?.();
  });

  it('tells a broken file from one that another process has', () => {
    const file = join(directory, 'lock');
    writeFileSync(file, 'no database at all, and longer than the header of one: '.repeat(40));
    expect(() => takeLock(file)).toThrow(`${file}: file is not a database`);
  });

  it('names the path where there is no such folder', () => {
    const file = join(directory, 'missing', 'lock');
    expect(() => takeLock(file)).toThrow(`${file}: unable to open database file`);
  });
});
