import { HTTPException } from 'hono/http-exception';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import { errorOf, renderProblem } from '../../../shared/http/problem.ts';

const bodyOf = (error: AppError): unknown => JSON.parse(renderProblem(error, 'r1').body);

describe('renderProblem', () => {
  it('has the members of RFC 9457 and ours', () => {
    expect(bodyOf(new AppError('not_found', 'There is no session "x".'))).toEqual({
      type: 'https://berth.dev/problems/not_found',
      title: 'Not found',
      status: 404,
      detail: 'There is no session "x".',
      code: 'not_found',
      retryable: false,
      remediation: 'Check the id and the path.',
      request_id: 'r1',
    });
  });

  it('lets no extension replace a standard member', () => {
    const error = new AppError('quota_exceeded', 'd', { extensions: { limit: 'cpu', status: 200, code: 'x', request_id: 'x' } });
    expect(bodyOf(error)).toMatchObject({ limit: 'cpu', status: 403, code: 'quota_exceeded', request_id: 'r1' });
  });

  it('rounds Retry-After up to whole seconds', () => {
    const headers = (seconds: number): unknown =>
      renderProblem(new AppError('pod_restarting', 'd', { retryAfterSeconds: seconds }), 'r').headers['Retry-After'];
    expect([headers(0.1), headers(2), headers(-1)]).toEqual(['1', '2', '0']);
    expect(renderProblem(new AppError('pod_restarting', 'd'), 'r').headers).not.toHaveProperty('Retry-After');
  });

  it('says how to authenticate with a 401 and what is allowed with a 405', () => {
    expect(renderProblem(new AppError('unauthenticated', 'd'), 'r').headers).toMatchObject({ 'WWW-Authenticate': 'Bearer realm="berth"' });
    const notAllowed = new AppError('method_not_allowed', 'd', { extensions: { allow: ['GET', 'HEAD'] } });
    expect(renderProblem(notAllowed, 'r').headers).toMatchObject({ Allow: 'GET, HEAD' });
  });

  it('lists wrong fields', () => {
    const error = new AppError('validation_failed', 'd', { errors: [{ path: 'env.A-B', message: 'm' }] });
    expect(bodyOf(error)).toMatchObject({ errors: [{ path: 'env.A-B', message: 'm' }] });
  });
});

describe('errorOf', () => {
  it('knows the exceptions of the framework by their status', () => {
    const code = (status: 400 | 404 | 413 | 415 | 418 | 500): string => errorOf(new HTTPException(status, { message: 'm' })).code;
    expect([code(400), code(404), code(413), code(415), code(418), code(500)]).toEqual([
      'bad_request',
      'not_found',
      'payload_too_large',
      'validation_failed',
      'internal',
      'internal',
    ]);
  });
});
