import { describe, expect, it } from 'vitest';
import type { SessionStatus } from '../../../shared/sessions/model.ts';
import { planDue, planMend, planSession } from '../../../shared/sweep/plan-session.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { past, podSighting, wholePod } from './sightings.ts';

describe('what is due', () => {
  const expected: Readonly<Record<SessionStatus, string>> = {
    creating: 'provision',
    running: 'expire',
    stopping: 'expire',
    stopped: 'expire',
    failed: 'expire',
    terminating: 'expire',
    terminated: 'forget_secrets',
  };
  for (const [status, type] of Object.entries(expected)) {
    it(`is laid as "${type}" for a session that is ${status}, and not a moment before its time`, () => {
      const session = sessionDocument({ status: status as SessionStatus, due_at: testNow.toISOString() });
      expect(planDue(session, testNow)).toEqual({ type, id: session.id });
      expect(planDue(session, new Date(testNow.getTime() - 1))).toBeUndefined();
      expect(planDue({ ...session, due_at: null }, testNow)).toBeUndefined();
    });
  }
});

describe('a running session', () => {
  it('with its pod is left alone', () => {
    expect(planSession(sessionDocument(), podSighting(), testNow)).toBeUndefined();
    expect(planSession(sessionDocument(), podSighting({ pod: wholePod() }), testNow)).toBeUndefined();
  });

  it('has lost its pod where that is gone, another one, or on its way out', () => {
    for (const pod of [undefined, podSighting({ uid: 'uid-2' }), podSighting({ deletedAt: past })]) {
      expect(planSession(sessionDocument(), pod, testNow)).toMatchObject({ type: 'pod_lost' });
    }
  });

  it('tells a crash loop from an eviction', () => {
    const loops = podSighting({ pod: wholePod({ waiting: 'CrashLoopBackOff', restartCount: 4 }) });
    expect(planSession(sessionDocument(), loops, testNow)).toMatchObject({ type: 'crash_loop' });
    const evicted = podSighting({ pod: wholePod({ phase: 'Failed' }) });
    expect(planSession(sessionDocument(), evicted, testNow)).toMatchObject({ type: 'pod_lost' });
  });

  it('hears of each restart of its container once, and why', () => {
    const pod = podSighting({ pod: wholePod({ restartCount: 2, exitCode: 137, reason: 'OOMKilled' }) });
    const session = sessionDocument({ container_restarts: 1 });
    expect(planSession(session, pod, testNow)).toEqual({
      type: 'container_restarted',
      id: session.id,
      podUid: 'uid-1',
      count: 2,
      message: 'The container was restarted: it used more memory than its limit',
    });
    expect(planSession({ ...session, container_restarts: 2 }, pod, testNow)).toBeUndefined();
  });

  it('ends at its deadline, whatever its pod does', () => {
    expect(planSession(sessionDocument({ due_at: past }), undefined, testNow)).toMatchObject({ type: 'expire' });
  });
});

describe('a session that does not run', () => {
  it('needs no pod', () => {
    for (const status of ['creating', 'stopping', 'stopped', 'failed', 'terminating'] as const) {
      expect(planSession(sessionDocument({ status }), undefined, testNow)).toBeUndefined();
    }
  });
});

describe('the time in a document', () => {
  it('is put right where it is not what the state asks for', () => {
    expect(planMend(sessionDocument())).toBeUndefined();
    expect(planMend(sessionDocument({ due_at: null }))).toMatchObject({ type: 'mend_due' });
    expect(planMend(sessionDocument({ due_at: '2027-01-01T00:00:00.000Z' }))).toMatchObject({ type: 'mend_due' });
  });

  it('stays away from a session that has ended and was looked at', () => {
    expect(planMend(sessionDocument({ status: 'terminated', terminated_at: past, due_at: null }))).toBeUndefined();
  });
});
