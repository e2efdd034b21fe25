import { describe, expect, test } from 'vitest';
import { describeDelay, nextDelaySeconds, restarts } from '../../../../dev/cluster/node/back-off.ts';
import { canonicalName, findImage, pullFailure } from '../../../../dev/cluster/node/images.ts';
import { expandVariables } from '../../../../dev/cluster/node/pods/expand.ts';
import { chooseVictim } from '../../../../dev/cluster/node/limits/memory-watcher.ts';
import { parseQuantity } from '../../../../dev/cluster/node/quantities.ts';

describe('starting again after a crash', () => {
  test('happens at once, then after 10 s, doubling to 5 minutes', () => {
    const delays: number[] = [];
    for (let delay = nextDelaySeconds(undefined, 1); delays.length < 9; delay = nextDelaySeconds(delay, 1)) delays.push(delay);
    expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  test('begins anew for a container that ran for ten minutes', () => {
    expect(nextDelaySeconds(300, 599)).toBe(300);
    expect(nextDelaySeconds(300, 600)).toBe(0);
  });

  test.each([
    ['Always', 0, true],
    [undefined, 0, true],
    ['OnFailure', 0, false],
    ['OnFailure', 1, true],
    ['Never', 1, false],
  ])('follows the policy %s for exit code %i', (policy, code, expected) => {
    expect(restarts(policy, code)).toBe(expected);
  });

  test.each([
    [10, '10s'],
    [160, '2m40s'],
    [300, '5m0s'],
  ])('calls %i seconds %s', (seconds, text) => {
    expect(describeDelay(seconds)).toBe(text);
  });
});

describe('images', () => {
  test.each([
    ['python:3.11-slim', 'docker.io/library/python:3.11-slim'],
    ['python', 'docker.io/library/python:latest'],
    ['docker.io/python:3', 'docker.io/library/python:3'],
    ['someone/thing:1', 'docker.io/someone/thing:1'],
    ['localhost:5000/thing', 'localhost:5000/thing:latest'],
    ['gcr.io/a/b@sha256:00', 'gcr.io/a/b@sha256:00'],
  ])('%s is %s in full', (reference, name) => {
    expect(canonicalName(reference)).toBe(name);
  });

  test('are those of the built-in templates and the extra ones, and no other', () => {
    expect(findImage('docker.io/library/node:24-slim', [])?.path.startsWith('/node/bin:')).toBe(true);
    expect(findImage('python:3.11-slim', [])?.command).toEqual(['python3']);
    expect(findImage('python:3.12', [])).toBeUndefined();
    expect(findImage('gcr.io/a/b:1', ['gcr.io/a/b:1'])?.command).toEqual(['/bin/sh']);
  });

  test('that no registry has fail in the words of a container runtime', () => {
    expect(pullFailure('nope:1')).toMatch(/^Failed to pull image "nope:1": rpc error: .*docker\.io\/library\/nope:1: not found$/);
  });
});

test.each([
  ['$(A)', 'x'],
  ['$(A)$(A)', 'xx'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$x'],
  ['$(B)', '$(B)'],
  ['$A ${A} $', '$A ${A} $'],
  ['$(toString)', '$(toString)'],
])('%s in a manifest becomes %s', (text, expected) => {
  expect(expandVariables(text, { A: 'x' })).toBe(expected);
});

test.each([
  ['64Mi', 67_108_864],
  ['250m', 0.25],
  ['1.5', 1.5],
  ['2e3', 2000],
  ['1k', 1000],
  ['', undefined],
  ['many', undefined],
])('the quantity %s is %s', (text, expected) => {
  expect(parseQuantity(text)).toBe(expected);
});

test('of the processes that take more than they may, the one goes that offers itself most, and of those the largest', () => {
  const entry = (pid: number, residentBytes: number) => [pid, { pid, parent: 1, session: 1, residentBytes }] as const;
  const processes = new Map([entry(10, 30), entry(11, 50), entry(12, 500)]);
  const equal = (): number => 0;
  expect(chooseVictim(processes, [10, 11], 80, equal)).toBeUndefined();
  expect(chooseVictim(processes, [10, 11], 79, equal)).toBe(11);
  expect(chooseVictim(processes, [10, 11, 99], 1, equal)).toBe(11);
  expect(chooseVictim(processes, [10, 11, 12], 1, (pid) => (pid === 12 ? 0 : 1000))).toBe(11);
});
