import { describe, expect, it } from 'vitest';
import { Secret } from '../../../shared/auth/secret.ts';
import { newId } from '../../../shared/ids.ts';
import { createLogger, type LoggerOptions } from '../../../shared/observability/create-logger.ts';
import type { Logger } from '../../../shared/observability/logger.ts';

function logger(options: Partial<LoggerOptions> = {}): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({
    level: 'debug',
    format: 'json',
    write: (line) => lines.push(line),
    now: () => new Date('2026-03-01T12:00:00.123Z'),
    ...options,
  });
  return { log, lines };
}

const parsed = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line) as unknown);

describe('the logger in JSON', () => {
  it('writes the fields that Cloud Logging reads', () => {
    const { log, lines } = logger({ project: 'p1' });
    log
      .with({ component: 'http', trace: 'abc', span: 'def' })
      .log('warn', 'slow', { session_id: 's', duration_ms: 5, pod_name: 'p', node_name: 'n', region: 'r', user_id: 'u', action: 'a' });
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(parsed(lines)).toEqual([
      {
        severity: 'WARNING',
        time: '2026-03-01T12:00:00.123Z',
        message: 'slow',
        component: 'http',
        'logging.googleapis.com/trace': 'projects/p1/traces/abc',
        'logging.googleapis.com/spanId': 'def',
        session_id: 's',
        duration_ms: 5,
        pod_name: 'p',
        node_name: 'n',
        region: 'r',
        user_id: 'u',
        action: 'a',
      },
    ]);
  });

  it('writes nothing below its level, and nothing at all when silent', () => {
    const { log, lines } = logger({ level: 'warn' });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log.log(level, level);
    expect(parsed(lines)).toMatchObject([{ message: 'warn' }, { message: 'error' }]);
    const silent = logger({ level: 'silent' });
    silent.log.log('error', 'x');
    expect(silent.lines).toEqual([]);
  });

  it('writes an error with its code, its stack and what caused it', () => {
    const { log, lines } = logger();
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    log.log('error', 'failed', { error: new Error('no answer', { cause }) });
    expect(parsed(lines)).toMatchObject([{ severity: 'ERROR', error: { name: 'Error', message: 'no answer' } }]);
    expect(lines[0]).toContain('caused by: Error: refused');
    expect(lines[0]).toContain('logger.test.ts');
    log.log('error', 'failed', { error: 'just a text' });
    expect(parsed(lines)[1]).toMatchObject({ error: { message: 'just a text' } });
  });

  it('keeps each event on one line, whatever is in it, and survives cycles', () => {
    const { log, lines } = logger();
    const cycle: Record<string, unknown> = { big: 1n };
    cycle['self'] = cycle;
    log.log('info', 'two\nlines', { cycle, nothing: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toContain('\n');
  });
});

describe('what is logged', () => {
  const key = `berth_${newId()}_${'s3cr3t_-'.repeat(5)}abc`;
  const fields = {
    authorization: 'Bearer s3cr3t',
    nested: { 'x-api-key': 's3cr3t', list: [{ token: 's3cr3t' }] },
    env: { A: 's3cr3t' },
    value: new Secret('s3cr3t'),
    text: `key ${key} was used`,
    url: '/v1/shell?ticket=s3cr3t&x=1',
    error: new Error(`bad ${key}`, { cause: new Error('Authorization: Bearer s3cr3t') }),
  };

  for (const format of ['json', 'text'] as const) {
    it(`holds no secret as ${format}, by name, by type or by form`, () => {
      const { log, lines } = logger({ format });
      log.with({ password: 's3cr3t' }).log('error', `with ${key}`, fields);
      expect(lines.join('')).not.toContain('s3cr3t');
      expect(lines.join('')).toContain(key.slice(0, 33));
    });
  }
});

describe('the logger on a terminal', () => {
  it('writes one readable line', () => {
    const { log, lines } = logger({ format: 'text' });
    log.with({ component: 'http' }).log('info', 'GET / 200', { duration_ms: 3, user_id: 'alice', text: 'a b', none: null });
    expect(lines).toEqual(['12:00:00.123 info  http: GET / 200 duration_ms=3 user_id=alice text="a b"\n']);
  });

  it('shows the stack of an error below it, but only the message of a warning’s', () => {
    const { log, lines } = logger({ format: 'text' });
    log.log('error', 'failed', { error: new Error('boom') });
    log.log('warn', 'odd', { error: new Error('boom') });
    expect(lines[0]).toMatch(/^12:00:00\.123 ERROR failed\n {4}Error: boom\n {8}at /);
    expect(lines[1]).toBe('12:00:00.123 WARN  odd error="boom"\n');
  });

  it('lets nobody forge a line or drive the terminal', () => {
    const { log, lines } = logger({ format: 'text' });
    log.log('info', 'a\n12:00:00.000 info  b\u001b[2J', { user_id: 'x\ny' });
    expect(lines.join('').split('\n')).toHaveLength(2);
    expect(lines.join('')).not.toContain('\u001b');
  });
});
