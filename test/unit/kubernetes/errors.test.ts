import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import {
  KubernetesError,
  KubernetesUnreachable,
  isAlreadyExists,
  isConflict,
  isGone,
  isNotFound,
  parseStatus,
  statusOf,
  translateKubernetesError,
} from '../../../shared/kubernetes/errors.ts';

/** As the library throws it. */
function apiException(code: number, body: unknown, headers: Record<string, string> = {}): Error {
  return Object.assign(new Error(`HTTP-Code: ${String(code)}`), { code, body, headers });
}

const status = (code: number, reason: string, message = 'words', details?: object) =>
  JSON.stringify({ kind: 'Status', code, reason, message, details });

describe('an error of the API server', () => {
  test.each([
    [403, 'Forbidden', 'cluster_refused'],
    [404, 'NotFound', 'cluster_refused'],
    [409, 'AlreadyExists', 'cluster_refused'],
    [409, 'Conflict', 'conflict'],
    [410, 'Expired', 'cluster_refused'],
    [422, 'Invalid', 'cluster_refused'],
    [401, 'Unauthorized', 'cluster_unavailable'],
    [408, 'Timeout', 'cluster_unavailable'],
    [429, 'TooManyRequests', 'cluster_unavailable'],
    [500, 'InternalError', 'cluster_unavailable'],
    [503, 'ServiceUnavailable', 'cluster_unavailable'],
  ])('%i %s is %s', (code, reason, expected) => {
    expect(translateKubernetesError(apiException(code, status(code, reason))).code).toBe(expected);
    expect(translateKubernetesError(new KubernetesError({ code, reason, message: 'words' })).code).toBe(expected);
  });

  test("keeps Kubernetes' own words where it refuses", () => {
    const refusal = apiException(403, status(403, 'Forbidden', 'pods "p" is forbidden: exceeded quota: berth'));
    expect(translateKubernetesError(refusal)).toMatchObject({
      detail: 'pods "p" is forbidden: exceeded quota: berth',
      extensions: { kubernetes_reason: 'Forbidden' },
    });
  });

  test('tells no address of ours where the API server fails', () => {
    const failure = apiException(500, status(500, 'InternalError', 'dial tcp 10.1.2.3:10250: i/o timeout'));
    expect(translateKubernetesError(failure).detail).not.toContain('10.1.2.3');
  });

  test.each([
    [apiException(429, status(429, 'TooManyRequests'), { 'retry-after': '3' }), 3],
    [apiException(503, status(503, 'ServiceUnavailable', 'words', { retryAfterSeconds: 5 })), 5],
    [apiException(503, status(503, 'ServiceUnavailable')), undefined],
    [apiException(503, 'later', { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }), undefined],
  ])('says when to try again: %#', (error, seconds) => {
    expect(translateKubernetesError(error).retryAfterSeconds).toBe(seconds);
  });

  test('may have a body that is no Status', () => {
    expect(statusOf(apiException(502, '<html>'))).toEqual({ code: 502, reason: 'Unknown', message: '<html>' });
    expect(statusOf(apiException(401, undefined))).toEqual({ code: 401, reason: 'Unknown', message: '{}' });
    expect(parseStatus(500, '')).toEqual({ code: 500, reason: 'Unknown', message: 'HTTP 500' });
    expect(parseStatus(500, 'null')).toMatchObject({ reason: 'Unknown' });
  });
});

describe('other errors', () => {
  test('no connection is unavailable, and the reason stays inside', () => {
    const cause = new Error('connect ECONNREFUSED 10.1.2.3:443');
    const error = translateKubernetesError(new KubernetesUnreachable('x', { cause }));
    expect(error.code).toBe('cluster_unavailable');
    expect(error.detail).not.toContain('10.1.2.3');
    expect((error.cause as Error).cause).toBe(cause);
  });

  test('an error of the domains is handed on', () => {
    const error = new AppError('not_found', 'x');
    expect(translateKubernetesError(error)).toBe(error);
  });

  test('a bug is not passed off as an outage', () => {
    expect(translateKubernetesError(new TypeError('x is not a function')).code).toBe('internal');
  });

  test('giving up is not a bug', () => {
    expect(translateKubernetesError(new DOMException('aborted', 'AbortError')).code).toBe('cluster_unavailable');
  });
});

test('the predicates know an answer by its code or reason, from either client, and nothing else', () => {
  const errors = [
    apiException(404, status(404, 'NotFound')),
    apiException(409, status(409, 'AlreadyExists')),
    new KubernetesError({ code: 409, reason: 'Conflict', message: '' }),
    new KubernetesError({ code: 410, reason: 'Expired', message: '' }),
    new Error('x'),
    undefined,
  ];
  const told = errors.map((error) => [isNotFound, isAlreadyExists, isConflict, isGone].map((is) => is(error)));
  const none = [false, false, false, false];
  expect(told).toEqual([
    [true, false, false, false],
    [false, true, false, false],
    [false, false, true, false],
    [false, false, false, true],
    none,
    none,
  ]);
});
