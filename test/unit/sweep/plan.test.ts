import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { labels } from '../../../shared/pods/names.ts';
import { isOrphan, planNamespace, planSession } from '../../../shared/sweep/plan.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';

const past = '2026-03-01T11:00:00.000Z';

function pod(fields: { uid?: string; generation?: number; deleted?: boolean; waiting?: string; phase?: string } = {}): V1Pod {
  return {
    metadata: {
      name: sessionDocument().pod_name,
      uid: fields.uid ?? 'uid-1',
      labels: { [labels.session]: sessionDocument().id, [labels.generation]: String(fields.generation ?? 1) },
      ...(fields.deleted === true ? { deletionTimestamp: testNow } : {}),
    },
    spec: { containers: [{ name: 'session', image: 'python:3.11-slim' }] },
    status: {
      phase: fields.phase ?? 'Running',
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Ready', status: fields.waiting === undefined ? 'True' : 'False' },
      ],
      containerStatuses: [
        {
          name: 'session',
          image: 'python:3.11-slim',
          imageID: '',
          ready: fields.waiting === undefined,
          restartCount: 3,
          state: fields.waiting === undefined ? { running: {} } : { waiting: { reason: fields.waiting } },
          lastState: { terminated: { exitCode: 1 } },
        },
      ],
    },
  };
}

describe('planSession', () => {
  it('leaves a running session with its pod alone', () => {
    expect(planSession(sessionDocument(), pod(), testNow)).toBeUndefined();
  });

  it('sees that the pod of a running session is gone, another, or going', () => {
    expect(planSession(sessionDocument(), undefined, testNow)).toMatchObject({ type: 'pod_lost' });
    expect(planSession(sessionDocument(), pod({ uid: 'uid-2' }), testNow)).toMatchObject({ type: 'pod_lost' });
    expect(planSession(sessionDocument(), pod({ deleted: true }), testNow)).toMatchObject({ type: 'pod_lost' });
  });

  it('tells a crash loop from an eviction', () => {
    expect(planSession(sessionDocument(), pod({ waiting: 'CrashLoopBackOff' }), testNow)).toMatchObject({ type: 'crash_loop' });
    expect(planSession(sessionDocument(), pod({ phase: 'Failed' }), testNow)).toMatchObject({ type: 'pod_lost' });
  });

  it('ends what is past its deadline in any state that can end', () => {
    for (const status of ['creating', 'running', 'failed'] as const) {
      expect(planSession(sessionDocument({ status, expires_at: past }), pod(), testNow)).toMatchObject({ type: 'expire' });
    }
  });

  it('takes up a creation and an end that stand still, and leaves fresh ones to those who are at it', () => {
    const fresh = testNow.toISOString();
    expect(planSession(sessionDocument({ status: 'creating', updated_at: past }), undefined, testNow)).toMatchObject({ type: 'provision' });
    expect(planSession(sessionDocument({ status: 'creating', updated_at: fresh }), undefined, testNow)).toBeUndefined();
    expect(planSession(sessionDocument({ status: 'terminating', updated_at: past }), pod(), testNow)).toMatchObject({ type: 'expire' });
    expect(planSession(sessionDocument({ status: 'terminating', updated_at: fresh }), pod(), testNow)).toBeUndefined();
  });
});

describe('isOrphan', () => {
  it('spares the pod of a session that lives, and one that is going already', () => {
    expect(isOrphan(pod(), sessionDocument())).toBe(false);
    expect(isOrphan(pod(), sessionDocument({ status: 'creating' }))).toBe(false);
    expect(isOrphan(pod({ deleted: true }), undefined)).toBe(false);
  });

  it('finds pods without a session, of an ended one, and of an earlier generation', () => {
    expect(isOrphan(pod(), undefined)).toBe(true);
    expect(isOrphan(pod(), sessionDocument({ status: 'terminated' }))).toBe(true);
    expect(isOrphan(pod(), sessionDocument({ status: 'failed' }))).toBe(true);
    expect(isOrphan(pod({ generation: 1 }), sessionDocument({ status: 'creating', generation: 2 }))).toBe(true);
  });
});

describe('planNamespace', () => {
  const empty = {
    namespace: 'team',
    owner: 'alice',
    k8s_namespace: 'berth-team',
    state: 'active' as const,
    sessions: {},
    emptied_at: past,
    k8s_uid: 'uid-1',
    objects_digest: 'd',
    created_at: past,
  };

  it('releases what has been empty long enough, and forgets it when the cluster has', () => {
    expect(planNamespace(empty, { metadata: { name: 'berth-team' } }, 60, testNow)).toEqual({ type: 'release' });
    expect(planNamespace(empty, undefined, 60, testNow)).toEqual({ type: 'forget' });
    expect(planNamespace({ ...empty, sessions: { s: true } }, undefined, 60, testNow)).toBeUndefined();
  });
});
