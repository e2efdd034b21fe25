import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeOomCount } from '../../../../dev/cluster/node/pods/oom-count.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-oom-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the count of what was killed for its memory', () => {
  const container = { name: 'main', volumeMounts: [{ name: 'berth', mountPath: '/berth' }] };

  test('takes the place of what a container has put there, and follows no link', () => {
    const folder = join(root, 'berth');
    const target = join(root, 'not-for-it');
    mkdirSync(folder);
    writeFileSync(target, 'as it was');
    symlinkSync(target, join(folder, 'oom_kills'));
    writeOomCount(container, new Map([['berth', folder]]), 2);
    expect(readFileSync(join(folder, 'oom_kills'), 'utf8')).toBe('2\n');
    expect(readFileSync(target, 'utf8')).toBe('as it was');
    expect(readdirSync(folder)).toEqual(['oom_kills']);
  });

  test('is left out where there is no such volume, or it cannot be written', () => {
    expect(() => writeOomCount({ name: 'main' }, new Map(), 1)).not.toThrow();
    expect(() => writeOomCount(container, new Map([['berth', join(root, 'gone')]]), 1)).not.toThrow();
  });
});
