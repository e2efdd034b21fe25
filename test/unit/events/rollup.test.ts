import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RollupCounts, SessionState } from '../../../shared/events/model.ts';
import { addCounts, rollupDeltas } from '../../../shared/events/rollup.ts';
import { toSessionState } from '../../../shared/events/session-state.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

function state(fields: Partial<SessionDocument> = {}): SessionState {
  const made = toSessionState(sessionDocument(fields));
  if (made === undefined) throw new Error('the session of the tests is not a session');
  return made;
}

const nothing: RollupCounts = {
  sessions_created: 0,
  sessions_started: 0,
  sessions_failed: 0,
  sessions_ended: 0,
  session_seconds: 0,
  cpu_seconds: 0,
};

const creating = state({ status: 'creating', started_at: null, updated_at: '2026-03-01T11:59:00.000Z' });
const running = state({ status: 'running', started_at: '2026-03-01T12:00:00.000Z', updated_at: '2026-03-01T12:00:00.000Z' });
const stopping = state({ status: 'stopping', started_at: '2026-03-01T12:00:00.000Z', updated_at: '2026-03-01T12:10:00.000Z' });

describe('what a change adds to the roll-ups', () => {
  it('counts a new session on the day of its creation', () => {
    expect([...rollupDeltas({ id: 'c', after: creating })]).toEqual([['2026-03-01', { ...nothing, sessions_created: 1 }]]);
  });

  it('counts a start when the pod becomes ready, and again when it is another pod', () => {
    expect([...rollupDeltas({ id: 'c', before: creating, after: running })]).toEqual([['2026-03-01', { ...nothing, sessions_started: 1 }]]);
    const again = state({ started_at: '2026-03-02T08:00:00.000Z', updated_at: '2026-03-02T08:00:00.000Z', generation: 2 });
    const between = state({ ...stopping, status: 'creating', spec: sessionDocument().spec, updated_at: '2026-03-02T07:59:00.000Z' });
    expect([...rollupDeltas({ id: 'c', before: between, after: again })]).toEqual([['2026-03-02', { ...nothing, sessions_started: 1 }]]);
  });

  it('counts the time of running when it is over, in seconds and in seconds times cores', () => {
    expect([...rollupDeltas({ id: 'c', before: running, after: stopping })]).toEqual([
      ['2026-03-01', { ...nothing, session_seconds: 600, cpu_seconds: 150 }],
    ]);
  });

  it('gives each day its part of the time', () => {
    const after = state({ status: 'terminating', started_at: running.started_at, updated_at: '2026-03-03T01:00:00.000Z' });
    const seconds = [...rollupDeltas({ id: 'c', before: running, after })].map(([day, counts]) => [day, counts.session_seconds]);
    expect(seconds).toEqual([
      ['2026-03-01', 12 * 3600],
      ['2026-03-02', 24 * 3600],
      ['2026-03-03', 3600],
    ]);
  });

  it('counts failures and ends once each, an end on its own day', () => {
    const failed = state({ status: 'failed', started_at: null });
    expect(rollupDeltas({ id: 'c', before: creating, after: failed }).get('2026-03-01')).toEqual({ ...nothing, sessions_failed: 1 });
    const terminating = state({ status: 'terminating', started_at: null });
    const terminated = state({ status: 'terminated', started_at: null, terminated_at: '2026-03-05T00:00:00.000Z' });
    expect([...rollupDeltas({ id: 'c', before: terminating, after: terminated })]).toEqual([
      ['2026-03-05', { ...nothing, sessions_ended: 1 }],
    ]);
  });

  it('adds nothing for a change of labels', () => {
    expect(
      rollupDeltas({ id: 'c', before: running, after: { ...running, labels: { a: 'b' }, updated_at: '2026-03-01T13:00:00.000Z' } }).size,
    ).toBe(0);
  });

  it('counts a run to the beginning of the next where one write ends the one and begins the other', () => {
    const next = state({ started_at: '2026-03-01T12:05:00.000Z', updated_at: '2026-03-01T12:05:01.000Z' });
    expect([...rollupDeltas({ id: 'c', before: running, after: next })]).toEqual([
      ['2026-03-01', { ...nothing, sessions_started: 1, session_seconds: 300, cpu_seconds: 75 }],
    ]);
  });

  it('does not follow a broken document through the centuries', () => {
    const broken = state({ status: 'stopped', started_at: '1900-01-01T00:00:00.000Z', updated_at: '2026-03-01T12:00:00.000Z' });
    expect(rollupDeltas({ id: 'c', before: { ...broken, status: 'running' }, after: broken }).size).toBeLessThanOrEqual(367);
  });

  it('comes to the same sum in whatever order changes are told', () => {
    const states = [creating, running, stopping, state({ ...stopping, spec: sessionDocument().spec, status: 'stopped' })];
    const changes = states.map((after, index) => ({
      id: String(index),
      after,
      ...(index === 0 ? {} : { before: states[index - 1] as SessionState }),
    }));
    const sum = (order: readonly (typeof changes)[number][]): Record<string, RollupCounts> => {
      const days: Record<string, RollupCounts> = {};
      for (const change of order) for (const [day, delta] of rollupDeltas(change)) days[day] = addCounts(days[day], delta);
      return days;
    };
    const expected = sum(changes);
    expect(expected['2026-03-01']).toEqual({
      ...nothing,
      sessions_created: 1,
      sessions_started: 1,
      session_seconds: 600,
      cpu_seconds: 150,
    });
    fc.assert(
      fc.property(fc.shuffledSubarray(changes, { minLength: changes.length }), (order) => {
        expect(sum(order)).toEqual(expected);
      }),
    );
  });
});
