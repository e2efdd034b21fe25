import { describe, expect, it } from 'vitest';
import { decideIdle, IDLE_CPU_CORES, type IdleStats } from '../../../shared/sessions/idle.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

const MINUTE = 60_000;
const started = Date.parse('2026-03-01T12:00:00.000Z');
const at = (minutes: number): string => new Date(started + minutes * MINUTE).toISOString();
const now = (minutes: number): Date => new Date(started + minutes * MINUTE);

/** Ten minutes idle stop it. */
const session = sessionDocument({ started_at: at(0), idle_timeout_minutes: 10, expires_at: at(600) });
const quiet: IdleStats = { cpu_ms: 200, executions: 0, jobs: 0, last_activity_at: at(0) };

function lookAt(decided: ReturnType<typeof decideIdle>): string | undefined {
  return decided.kind === 'active' ? decided.lookAt.toISOString() : undefined;
}

describe('a session is idle', () => {
  it('when nothing has happened for its idle timeout, and not a moment before', () => {
    expect(decideIdle(session, undefined, quiet, now(10))).toEqual({ kind: 'idle' });
    expect(lookAt(decideIdle(session, undefined, quiet, new Date(started + 10 * MINUTE - 1)))).toBe(at(10));
  });

  it('not while the API was used within it: the next look comes exactly one timeout after that', () => {
    expect(lookAt(decideIdle(session, { at: at(7), cpu: null }, quiet, now(10)))).toBe(at(17));
  });

  it('not while bytes went through its shell', () => {
    expect(lookAt(decideIdle(session, undefined, { ...quiet, last_activity_at: at(9) }, now(10)))).toBe(at(19));
  });

  it('not while a job or a command runs', () => {
    for (const busy of [{ jobs: 1 }, { executions: 1 }]) {
      expect(lookAt(decideIdle(session, undefined, { ...quiet, ...busy }, now(30)))).toBe(at(40));
    }
  });

  it('not while it computes above the floor, on average since the last look', () => {
    const before = { generation: 1, at: at(10), cpu_ms: 5_000 };
    const floor = IDLE_CPU_CORES * 10 * MINUTE;
    const look = (usedMs: number) => decideIdle(session, { at: at(0), cpu: before }, { ...quiet, cpu_ms: 5_000 + usedMs }, now(20));
    expect(lookAt(look(floor))).toBe(at(30));
    expect(look(floor - 1)).toEqual({ kind: 'idle' });
  });

  it('not counting what a pod computes to come up', () => {
    const short = { ...session, idle_timeout_minutes: 0.1 };
    expect(decideIdle(short, undefined, { ...quiet, cpu_ms: 1_100 }, now(0.1)).kind).toBe('idle');
    expect(decideIdle(short, undefined, { ...quiet, cpu_ms: 4_000 }, now(0.1)).kind).toBe('active');
  });

  it('judged by its present pod alone, and by its present container where that was restarted', () => {
    const earlier = { generation: 0, at: at(0), cpu_ms: 0 };
    expect(decideIdle(session, { at: at(0), cpu: { ...earlier, cpu_ms: 900_000 } }, quiet, now(10)).kind).toBe('idle');
    expect(decideIdle(session, { at: at(0), cpu: { ...earlier, generation: 1, cpu_ms: 900_000 } }, quiet, now(10)).kind).toBe('idle');
  });

  it('not by the word of a helper from the future: that counts as now, so the session is looked at again in its time', () => {
    expect(lookAt(decideIdle(session, undefined, { ...quiet, last_activity_at: at(5_000) }, now(10)))).toBe(at(20));
  });

  it('only after a whole further timeout where its helper cannot be asked: it may be computing', () => {
    expect(lookAt(decideIdle(session, undefined, undefined, now(10)))).toBe(at(11));
    expect(lookAt(decideIdle(session, undefined, undefined, now(19)))).toBe(at(20));
    expect(decideIdle(session, undefined, undefined, now(20))).toEqual({ kind: 'idle' });
  });

  it('keeps for the next look what it has computed by now', () => {
    expect(decideIdle(session, undefined, { ...quiet, jobs: 1, cpu_ms: 77 }, now(10))).toMatchObject({
      cpu: { generation: 1, at: at(10), cpu_ms: 77 },
    });
  });
});
