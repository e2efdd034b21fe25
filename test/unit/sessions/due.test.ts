import { describe, expect, it } from 'vitest';
import { dueAt, withDue } from '../../../shared/sessions/lifecycle.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

const base: Partial<SessionDocument> = {
  updated_at: '2026-03-01T12:00:00.000Z',
  start_deadline: '2026-03-01T12:10:00.000Z',
  expires_at: '2026-03-01T13:00:00.000Z',
};
const withEnv = { spec: { ...sessionDocument().spec, env_names: ['A'] } };

const cases: readonly (readonly [string, Partial<SessionDocument>, string | null])[] = [
  ['creating, twice the time that its request may take', { status: 'creating' }, '2026-03-01T12:00:20.000Z'],
  ['creating with values of env, which take longer to be safe', { status: 'creating', ...withEnv }, '2026-03-01T12:01:10.000Z'],
  ['creating, its deadline to start', { status: 'creating', start_deadline: '2026-03-01T12:00:05.000Z' }, '2026-03-01T12:00:05.000Z'],
  ['creating, its own deadline', { status: 'creating', expires_at: '2026-03-01T12:00:05.000Z' }, '2026-03-01T12:00:05.000Z'],
  [
    'creating for a project, which its deadline does not end',
    { status: 'creating', project_id: 'p', expires_at: '2026-03-01T12:00:05.000Z' },
    '2026-03-01T12:00:20.000Z',
  ],
  ['running, its deadline', { status: 'running' }, '2026-03-01T13:00:00.000Z'],
  ['running, a whole idle timeout after the last look', { status: 'running', idle_timeout_minutes: 5 }, '2026-03-01T12:05:00.000Z'],
  ['running, its deadline before the idle timeout', { status: 'running', idle_timeout_minutes: 90 }, '2026-03-01T13:00:00.000Z'],
  ['stopping, moments after it began', { status: 'stopping' }, '2026-03-01T12:00:10.000Z'],
  ['terminating, moments after it began', { status: 'terminating' }, '2026-03-01T12:00:10.000Z'],
  ['stopped, its deadline', { status: 'stopped' }, '2026-03-01T13:00:00.000Z'],
  ['failed, its deadline', { status: 'failed' }, '2026-03-01T13:00:00.000Z'],
  ['stopped for a project, never', { status: 'stopped', project_id: 'p' }, null],
  ['failed for a conversation, never', { status: 'failed', conversation_id: 'c' }, null],
  ['terminated, once more a minute later', { status: 'terminated', terminated_at: '2026-03-01T12:00:00.000Z' }, '2026-03-01T12:01:00.000Z'],
];

describe('a session is due', () => {
  for (const [name, fields, expected] of cases) {
    it(name, () => {
      const session = sessionDocument({ ...base, ...fields });
      expect(dueAt(session)).toBe(expected);
      expect(withDue(session)).toEqual({ ...session, due_at: expected });
    });
  }
});
