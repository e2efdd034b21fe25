import { describe, expect, test } from 'vitest';
import {
  execPath,
  parseExecStatus,
  parseServerFrame,
  resizeFrame,
  stdinEndFrame,
  stdinFrames,
} from '../../../shared/kubernetes/exec-protocol.ts';

const exec = { namespace: 'n', pod: 'p', container: 'c', command: ['sh', '-c', 'a&b c'], signal: new AbortController().signal };

describe('the request', () => {
  test('carries the command word by word', () => {
    expect(execPath(exec)).toBe(
      '/api/v1/namespaces/n/pods/p/exec?container=c&stdin=false&stdout=true&stderr=true&tty=false&command=sh&command=-c&command=a%26b+c',
    );
  });

  test('asks for no stderr under a terminal, which has but one output', () => {
    expect(execPath({ ...exec, command: ['sh'], stdin: true, tty: true })).toBe(
      '/api/v1/namespaces/n/pods/p/exec?container=c&stdin=true&stdout=true&stderr=false&tty=true&command=sh',
    );
  });

  test('cannot leave its path by a name', () => {
    expect(execPath({ ...exec, pod: '../x?y' })).toMatch(/^\/api\/v1\/namespaces\/n\/pods\/\.\.%2Fx%3Fy\/exec\?/);
  });
});

describe('what we send', () => {
  test('stdin is cut into bounded messages, in order, with nothing lost', () => {
    const bytes = Buffer.from('abcdefgh');
    expect(stdinFrames(bytes, 3)).toEqual([Buffer.from('\0abc'), Buffer.from('\0def'), Buffer.from('\0gh')]);
    expect(stdinFrames(Buffer.alloc(0), 3)).toEqual([]);
  });

  test('the end of stdin is a close of channel 0', () => {
    expect(stdinEndFrame()).toEqual(Buffer.from([255, 0]));
  });

  test.each([
    [80, 24, '{"Width":80,"Height":24}'],
    [0, -5, '{"Width":1,"Height":1}'],
    [70_000, 24.9, '{"Width":65535,"Height":24}'],
    [Number.NaN, Number.POSITIVE_INFINITY, '{"Width":1,"Height":65535}'],
  ])('a terminal of %s x %s is sent as %s', (columns, rows, json) => {
    expect(resizeFrame(columns, rows).toString()).toBe(`\u0004${json}`);
  });
});

describe('what we receive', () => {
  test.each([
    [Buffer.from('\u0001out'), { type: 'stdout', payload: Buffer.from('out') }],
    [Buffer.from('\u0002err'), { type: 'stderr', payload: Buffer.from('err') }],
    [Buffer.from('\u0003{}'), { type: 'status', payload: Buffer.from('{}') }],
    [Buffer.from([1]), { type: 'stdout', payload: Buffer.alloc(0) }],
    [Buffer.from([255, 1]), { type: 'end', channel: 1 }],
    [Buffer.from([255]), { type: 'invalid', message: 'a close of no channel' }],
    [Buffer.from([9, 1]), { type: 'invalid', message: 'a message on channel 9' }],
    [Buffer.from([0, 1]), { type: 'invalid', message: 'a message on channel 0' }],
    [Buffer.alloc(0), { type: 'invalid', message: 'an empty message' }],
  ])('%j is %j', (message, frame) => {
    expect(parseServerFrame(message, true)).toEqual(frame);
  });

  test('text is no message of this protocol', () => {
    expect(parseServerFrame(Buffer.from('\u0001out'), false)).toEqual({ type: 'invalid', message: 'a text message' });
  });
});

describe('the end of a command', () => {
  const nonZero = (code: string) => ({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: 'command terminated',
    details: { causes: [{ reason: 'ExitCode', message: code }] },
  });

  test.each([
    [
      { metadata: {}, status: 'Success' },
      { type: 'exited', exitCode: 0 },
    ],
    [nonZero('7'), { type: 'exited', exitCode: 7 }],
    [nonZero('137'), { type: 'exited', exitCode: 137 }],
    [nonZero('x'), { type: 'failed', reason: 'NonZeroExitCode', message: 'command terminated' }],
    [
      { status: 'Failure', reason: 'InternalError', message: 'exec: "nope": not found' },
      { type: 'failed', reason: 'InternalError', message: 'exec: "nope": not found' },
    ],
    [{}, { type: 'failed', reason: 'Unknown', message: '{}' }],
  ])('%j is %j', (status, exit) => {
    expect(parseExecStatus(JSON.stringify(status))).toEqual(exit);
  });

  test('a status that is no JSON is still an end, with its words', () => {
    expect(parseExecStatus('container gone')).toEqual({ type: 'failed', reason: 'InternalError', message: 'container gone' });
  });
});
