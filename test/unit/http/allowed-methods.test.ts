import { describe, expect, it } from 'vitest';
import { allowedMethods } from '../../../shared/http/allowed-methods.ts';

const routes = [
  { method: 'ALL', path: '/*' },
  { method: 'GET', path: '/v1/things' },
  { method: 'POST', path: '/v1/things' },
  { method: 'DELETE', path: '/v1/things/:id' },
  { method: 'PUT', path: '/v1/things/:id/files/*' },
];

describe('allowedMethods', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['/v1/things', ['GET', 'HEAD', 'POST']],
    ['/v1/things/7', ['DELETE']],
    ['/v1/things/', []],
    ['/v1/things/7/', []],
    ['/v1/things/7/files/a/b', ['PUT']],
    ['/v1/other', []],
    ['/', []],
  ];
  for (const [path, methods] of cases) {
    it(`finds ${methods.join(', ') || 'nothing'} for ${path}`, () => {
      expect(allowedMethods(routes, path)).toEqual(methods);
    });
  }
});
