import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { envSecretName, namespaceName, ownerLabels, podName, sessionLabels, slug, userSlug } from '../../../shared/pods/names.ts';

const LABEL_VALUE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

describe('slugs', () => {
  test.each([
    ['alice', 'alice'],
    ['a', 'a'],
    ['team-7', 'team-7'],
    ['7seas', '7seas'],
    ['Alice', 'alice--3bc51062973c'],
    ['alice@example.com', 'alice-example-com--ff8d9819fc0e'],
    ['-alice-', 'alice--8bbe7cdbc342'],
    ['a--b', 'a-b--90827a2e5636'],
    ['日本', 'x--cf2abf0c5be3'],
    ['', 'x--e3b0c44298fc'],
    ['x'.repeat(64), `${'x'.repeat(49)}--7ce100971f64`],
  ])('%j becomes %j', (text, expected) => {
    expect(slug(text)).toBe(expected);
  });

  test('any string becomes a valid label value', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary-ascii', maxLength: 200 }), (text) => LABEL_VALUE.test(userSlug(text))));
  });

  test('a slug is never longer than asked for', () => {
    fc.assert(fc.property(fc.string(), fc.integer({ min: 20, max: 63 }), (text, length) => slug(text, length).length <= length));
  });

  test('a name that looks like the slug of another does not collide with it', () => {
    const taken = slug('alice@example.com');
    expect(slug(taken)).not.toBe(taken);
  });

  test('names that differ only in what a slug drops stay apart', () => {
    const names = ['a.b', 'a_b', 'a b', 'A-B', 'a-b', 'a/b', 'a-b-', 'a%b'];
    expect(new Set(names.map(userSlug)).size).toBe(names.length);
  });
});

describe('names', () => {
  test('a pod and its Secret are named after the session', () => {
    expect([podName('5x'), envSecretName('5x')]).toEqual(['berth-5x', 'berth-5x']);
  });

  test('a namespace keeps its name where Kubernetes allows it', () => {
    expect(namespaceName('berth', 'research')).toBe('berth-research');
  });

  test('a namespace stays within 63 characters with any prefix', () => {
    const name = namespaceName('a-prefix-of-20-chars', 'n'.repeat(63));
    expect(name).toMatch(LABEL_VALUE);
    expect(name).toHaveLength(63);
  });

  test('everything of a session carries who owns it', () => {
    expect(sessionLabels('main', 'Alice', '5x')).toEqual({
      'app.kubernetes.io/managed-by': 'berth',
      'berth.dev/installation': 'main',
      'berth.dev/user': 'alice--3bc51062973c',
      'berth.dev/session': '5x',
    });
    expect(ownerLabels('main', 'bob')).not.toHaveProperty('berth.dev/session');
  });
});
