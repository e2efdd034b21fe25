import { describe, expect, it } from 'vitest';
import type { ClusterPage, StorePage } from '../../../shared/sweep/pages.ts';
import { planNamespace, planSweep } from '../../../shared/sweep/plan.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { namespaceDocument } from './documents.ts';
import { podSighting } from './sightings.ts';

const rules = { graceMs: 30_000 };

function storeOf(...sessions: readonly SessionDocument[]): StorePage {
  return {
    sessions: new Map(sessions.map((session) => [session.id, session])),
    volumes: new Map(),
    snapshots: new Map(),
    namespaces: new Map(),
  };
}

describe('a page of documents with the objects that belong to it', () => {
  const none: ClusterPage = { objects: [], hasPodsOf: new Set() };

  it('makes nothing of agreement', () => {
    const cluster = { objects: [podSighting()], hasPodsOf: new Set([sessionDocument().id]) };
    expect(planSweep(storeOf(sessionDocument()), cluster, testNow, rules)).toEqual({ sessions: [], objects: [], unsettled: [] });
  });

  it('takes a pod for gone only where all pods of its session were asked for', () => {
    expect(planSweep(storeOf(sessionDocument()), none, testNow, rules).sessions).toEqual([]);
    const asked = { ...none, hasPodsOf: new Set([sessionDocument().id]) };
    expect(planSweep(storeOf(sessionDocument()), asked, testNow, rules).sessions).toMatchObject([{ type: 'pod_lost' }]);
  });

  it('does not judge a session by a pod that only bears its label', () => {
    const cluster = { objects: [podSighting({ name: 'by-hand', uid: 'other' })], hasPodsOf: new Set<string>() };
    const plan = planSweep(storeOf(sessionDocument()), cluster, testNow, rules);
    expect(plan.sessions).toEqual([]);
    expect(plan.objects).toMatchObject([{ type: 'remove_object', sighting: { name: 'by-hand' } }]);
  });

  it('keeps what is too young to be judged for the next pass', () => {
    const fresh = podSighting({ createdAt: testNow.toISOString() });
    const plan = planSweep(storeOf(), { ...none, objects: [fresh] }, testNow, rules);
    expect(plan).toEqual({ sessions: [], objects: [], unsettled: [fresh] });
  });
});

describe('a namespace that nobody needs', () => {
  const empty = namespaceDocument();
  const present = { metadata: { name: empty.k8s_namespace } };
  const going = (milliseconds: number) => ({
    metadata: { name: empty.k8s_namespace, deletionTimestamp: new Date(testNow.getTime() - milliseconds) },
  });

  it('is released when it has been empty long enough, and forgotten when the cluster has', () => {
    expect(planNamespace(empty, present, 60, testNow)).toEqual({ type: 'release_namespace' });
    expect(planNamespace(empty, undefined, 60, testNow)).toEqual({ type: 'forget_namespace' });
    expect(planNamespace({ ...empty, emptied_at: testNow.toISOString() }, present, 60, testNow)).toBeUndefined();
  });

  it('stays while a session or a volume is in it', () => {
    expect(planNamespace({ ...empty, sessions: { s: true } }, undefined, 60, testNow)).toBeUndefined();
    expect(planNamespace({ ...empty, volumes: { v: true } }, undefined, 60, testNow)).toBeUndefined();
  });

  it('is not asked to go again while it goes, and told of when it does not', () => {
    const releasing = namespaceDocument({ state: 'releasing' });
    expect(planNamespace(releasing, going(10_000), 60, testNow)).toBeUndefined();
    expect(planNamespace(releasing, going(300_000), 60, testNow)).toMatchObject({ type: 'namespace_stuck' });
  });
});
