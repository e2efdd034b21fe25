import { describe, expect, it } from 'vitest';
import { applyJsonPatch } from '../../../../dev/cluster/api/patch/json-patch.ts';
import { applyMergePatch, applyStrategicPatch } from '../../../../dev/cluster/api/patch/merge.ts';

interface Case {
  readonly what: string;
  readonly from: unknown;
  readonly patch: unknown;
  readonly to: unknown;
}

describe('JSON merge patch', () => {
  const cases: readonly Case[] = [
    { what: 'adds and replaces members', from: { a: 1, b: { c: 2 } }, patch: { a: 3, b: { d: 4 } }, to: { a: 3, b: { c: 2, d: 4 } } },
    { what: 'removes with null', from: { a: 1, b: { c: 2 } }, patch: { a: null, b: { c: null } }, to: { b: {} } },
    { what: 'replaces lists whole', from: { a: [1, 2] }, patch: { a: [3] }, to: { a: [3] } },
    { what: 'leaves no null in a new object', from: {}, patch: { a: { b: null, c: 1 } }, to: { a: { c: 1 } } },
  ];
  it.each(cases)('$what', ({ from, patch, to }) => {
    expect(applyMergePatch(from, patch)).toEqual(to);
  });
});

describe('strategic merge patch', () => {
  const containers = [
    { name: 'a', image: 'x', env: [{ name: 'E', value: '1' }] },
    { name: 'b', image: 'y' },
  ];
  const cases: readonly Case[] = [
    {
      what: 'merges containers by name',
      from: { containers },
      patch: { containers: [{ name: 'b', image: 'z' }] },
      to: { containers: [containers[0], { name: 'b', image: 'z' }] },
    },
    {
      what: 'merges env within a container',
      from: { containers: [containers[0]] },
      patch: { containers: [{ name: 'a', env: [{ name: 'F', value: '2' }] }] },
      to: {
        containers: [
          {
            name: 'a',
            image: 'x',
            env: [
              { name: 'E', value: '1' },
              { name: 'F', value: '2' },
            ],
          },
        ],
      },
    },
    {
      what: 'appends an unknown item',
      from: { containers: [containers[1]] },
      patch: { containers: [{ name: 'c', image: 'w' }] },
      to: { containers: [containers[1], { name: 'c', image: 'w' }] },
    },
    {
      what: 'deletes an item',
      from: { containers },
      patch: { containers: [{ name: 'a', $patch: 'delete' }] },
      to: { containers: [containers[1]] },
    },
    {
      what: 'replaces a list on request',
      from: { containers },
      patch: { containers: [{ $patch: 'replace' }, { name: 'c' }] },
      to: { containers: [{ name: 'c' }] },
    },
    { what: 'replaces other lists', from: { args: ['a'] }, patch: { args: ['b'] }, to: { args: ['b'] } },
    {
      what: 'merges finalizers as a set',
      from: { finalizers: ['a/b'] },
      patch: { finalizers: ['a/b', 'c/d'] },
      to: { finalizers: ['a/b', 'c/d'] },
    },
    {
      what: 'takes finalizers away by directive',
      from: { finalizers: ['a/b', 'c/d'] },
      patch: { '$deleteFromPrimitiveList/finalizers': ['a/b'] },
      to: { finalizers: ['c/d'] },
    },
    {
      what: 'removes with null and drops directives',
      from: { labels: { a: '1', b: '2' } },
      patch: { labels: { a: null }, '$setElementOrder/containers': [] },
      to: { labels: { b: '2' } },
    },
  ];
  it.each(cases)('$what', ({ from, patch, to }) => {
    expect(applyStrategicPatch(from, patch)).toEqual(to);
  });
});

describe('JSON patch', () => {
  const from = { a: { 'x/y': 1 }, list: [1, 2] };
  const cases: readonly Case[] = [
    { what: 'adds a member', from, patch: [{ op: 'add', path: '/b', value: 2 }], to: { ...from, b: 2 } },
    {
      what: 'inserts and appends to a list',
      from,
      patch: [
        { op: 'add', path: '/list/0', value: 0 },
        { op: 'add', path: '/list/-', value: 3 },
      ],
      to: { ...from, list: [0, 1, 2, 3] },
    },
    { what: 'knows escaped names', from, patch: [{ op: 'replace', path: '/a/x~1y', value: 2 }], to: { ...from, a: { 'x/y': 2 } } },
    { what: 'moves', from, patch: [{ op: 'move', from: '/a', path: '/b' }], to: { b: { 'x/y': 1 }, list: [1, 2] } },
    { what: 'copies', from, patch: [{ op: 'copy', from: '/list', path: '/b' }], to: { ...from, b: [1, 2] } },
    {
      what: 'removes after a test that holds',
      from,
      patch: [
        { op: 'test', path: '/list/1', value: 2 },
        { op: 'remove', path: '/list' },
      ],
      to: { a: { 'x/y': 1 } },
    },
  ];
  it.each(cases)('$what', ({ from: before, patch, to }) => {
    expect(applyJsonPatch(before, patch)).toEqual(to);
  });

  it.each([
    [[{ op: 'test', path: '/list', value: [] }]],
    [[{ op: 'remove', path: '/none' }]],
    [[{ op: 'replace', path: '/list/2', value: 1 }]],
    [[{ op: 'add', path: '/none/x', value: 1 }]],
    [[{ op: 'jump', path: '/a' }]],
    [[{ op: 'add', path: 'a', value: 1 }]],
  ])('%j is refused with 422', (patch) => {
    expect(() => applyJsonPatch(from, patch)).toThrow('the server rejected our request');
  });

  it('leaves what it was given as it is', () => {
    applyJsonPatch(from, [{ op: 'remove', path: '/a' }]);
    expect(from.a).toEqual({ 'x/y': 1 });
  });
});
