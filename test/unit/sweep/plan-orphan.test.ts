import { describe, expect, it } from 'vitest';
import { labels } from '../../../shared/pods/names.ts';
import type { Sighting } from '../../../shared/sweep/actions.ts';
import { planObject } from '../../../shared/sweep/plan-orphan.ts';
import type { StorePage } from '../../../shared/sweep/pages.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import type { SessionVolume, SnapshotDocument } from '../../../shared/storage/model.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { snapshotDocument } from '../../fakes/volume-document.ts';
import { namespaceDocument, volumeDocument } from './documents.ts';
import { past, podSighting, sighting } from './sightings.ts';

const rules = { graceMs: 30_000 };
const young = new Date(testNow.getTime() - 29_999).toISOString();

interface Page {
  readonly session?: SessionDocument;
  readonly volume?: ReturnType<typeof volumeDocument>;
  readonly snapshot?: SnapshotDocument;
  readonly namespace?: true;
}

function storeOf({ session, volume, snapshot, namespace }: Page = {}): StorePage {
  return {
    sessions: new Map(session === undefined ? [] : [[session.id, session]]),
    volumes: new Map(volume === undefined ? [] : [[volume.id, volume]]),
    snapshots: new Map(snapshot === undefined ? [] : [[snapshot.id, snapshot]]),
    namespaces: new Map(namespace === undefined ? [] : [[namespaceDocument().k8s_namespace, namespaceDocument()]]),
  };
}

function verdict(object: Sighting, store: StorePage): string | undefined {
  return planObject(object, store, testNow, rules)?.type;
}

describe('a pod', () => {
  it('of a session that lives is spared, and so is one that is going or belongs to another object', () => {
    for (const status of ['running', 'stopping', 'terminating'] as const) {
      expect(verdict(podSighting(), storeOf({ session: sessionDocument({ status }) }))).toBeUndefined();
    }
    expect(verdict(podSighting({ deletedAt: past }), storeOf())).toBeUndefined();
    expect(verdict(podSighting({ isOwned: true }), storeOf())).toBeUndefined();
  });

  it('goes at once where its session has ended or has another pod by now', () => {
    for (const status of ['terminated', 'failed', 'stopped'] as const) {
      expect(verdict(podSighting({ createdAt: young }), storeOf({ session: sessionDocument({ status }) }))).toBe('remove_object');
    }
    const rebuilt = sessionDocument({ status: 'creating', generation: 2 });
    expect(verdict(podSighting({ createdAt: young }, 1), storeOf({ session: rebuilt }))).toBe('remove_object');
  });

  it('of a session that is being made is looked at again: should that fail, nothing tells of the pod any more', () => {
    expect(verdict(podSighting(), storeOf({ session: sessionDocument({ status: 'creating' }) }))).toBe('unsettled');
  });

  it('that nobody knows is waited for, and goes when it is old enough', () => {
    expect(verdict(podSighting({ createdAt: young }), storeOf())).toBe('unsettled');
    expect(verdict(podSighting(), storeOf())).toBe('remove_object');
  });

  it('that only bears the label of a living session is not that session’s pod', () => {
    const store = storeOf({ session: sessionDocument() });
    expect(verdict(podSighting({ name: 'by-hand' }), store)).toBe('remove_object');
    expect(verdict(podSighting({ namespace: 'elsewhere' }), store)).toBe('remove_object');
  });
});

describe('a job', () => {
  const job = sighting('job', { labels: { [labels.session]: sessionDocument().id } });

  it('outlives the pod of its session, not the session', () => {
    expect(verdict(job, storeOf({ session: sessionDocument({ status: 'stopped' }) }))).toBeUndefined();
    expect(verdict(job, storeOf({ session: sessionDocument({ status: 'terminated' }) }))).toBe('remove_object');
    expect(verdict(job, storeOf())).toBe('remove_object');
  });
});

describe('a snapshot', () => {
  const document = snapshotDocument({ k8s_namespace: sessionDocument().k8s_namespace });
  const seen = sighting('snapshot', { name: document.snapshot_name, labels: { [labels.snapshot]: document.id } });

  it('stays while a document says that it is there, and goes where none does', () => {
    for (const status of ['creating', 'ready', 'failed', 'deleting'] as const) {
      expect(verdict(seen, storeOf({ snapshot: { ...document, status } }))).toBeUndefined();
    }
    expect(verdict(seen, storeOf({ snapshot: { ...document, status: 'deleted' } }))).toBe('remove_object');
    expect(verdict(seen, storeOf())).toBe('remove_object');
    expect(verdict({ ...seen, createdAt: young }, storeOf())).toBe('unsettled');
    expect(verdict({ ...seen, name: 'another' }, storeOf({ snapshot: document }))).toBe('remove_object');
  });
});

describe('a claim', () => {
  const volume = volumeDocument();
  const claim = sighting('claim', { name: volume.claim_name ?? '', labels: { [labels.volume]: volume.id, [labels.incarnation]: 'first' } });
  const mount: SessionVolume = {
    volume_id: volume.id,
    type: 'persistent_volume',
    source: claim.name,
    mount_path: '/workspace',
    read_only: false,
    size_gb: 10,
    shared: false,
  };
  const session = sessionDocument({ spec: { ...sessionDocument().spec, volumes: [mount] } });

  it('stays as long as a document says that its volume is there', () => {
    for (const status of ['creating', 'ready', 'failed', 'deleting'] as const) {
      expect(verdict(claim, storeOf({ volume: { ...volume, status, retain: true } }))).toBeUndefined();
    }
  });

  it('of an earlier volume of the same name goes, and not that of the present one', () => {
    const late = { ...claim, labels: { ...claim.labels, [labels.incarnation]: 'before' } };
    expect(planObject(late, storeOf({ volume }), testNow, rules)).toMatchObject({
      type: 'remove_object',
      why: 'an earlier volume of its name had it',
    });
  });

  it('goes where its volume was deleted, or was never known', () => {
    expect(verdict(claim, storeOf({ volume: { ...volume, status: 'deleted' } }))).toBe('remove_object');
    expect(verdict({ ...claim, createdAt: young }, storeOf())).toBe('unsettled');
    expect(verdict(claim, storeOf())).toBe('remove_object');
  });

  it('that a session mounts gets a document instead', () => {
    expect(planObject(claim, storeOf({ session }), testNow, rules)).toEqual({
      type: 'adopt_claim',
      sighting: claim,
      sessionIds: [session.id],
    });
    expect(verdict(claim, storeOf({ session: { ...session, status: 'terminated' } }))).toBe('remove_object');
    expect(verdict(claim, storeOf({ session: sessionDocument() }))).toBe('remove_object');
  });

  it('under a volume’s label that is not the volume’s own is an orphan', () => {
    expect(verdict({ ...claim, name: 'by-hand' }, storeOf({ volume }))).toBe('remove_object');
  });
});

describe('a namespace and what stands in it', () => {
  const name = namespaceDocument().k8s_namespace;

  it('stays where a document names it', () => {
    expect(verdict(sighting('namespace', { name }), storeOf({ namespace: true }))).toBeUndefined();
    expect(verdict(sighting('policy', { name: 'berth-deny', namespace: name }), storeOf({ namespace: true }))).toBeUndefined();
  });

  it('goes where none does', () => {
    expect(verdict(sighting('namespace', { name }), storeOf())).toBe('remove_object');
    expect(verdict(sighting('policy', { name: 'berth-deny', namespace: name }), storeOf())).toBe('remove_object');
    expect(verdict(sighting('policy', { name: 'open-all', namespace: name }), storeOf({ namespace: true }))).toBe('remove_object');
  });

  it('is told of where it has been going for five minutes, and left alone', () => {
    const going = (milliseconds: number): Sighting =>
      sighting('namespace', { name, deletedAt: new Date(testNow.getTime() - milliseconds).toISOString() });
    expect(verdict(going(299_999), storeOf())).toBeUndefined();
    expect(verdict(going(300_000), storeOf())).toBe('namespace_stuck');
  });
});
