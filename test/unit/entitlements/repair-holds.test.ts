import { describe, expect, it } from 'vitest';
import { repairHolds } from '../../../shared/entitlements/repair-holds.ts';
import { sessionStatuses } from '../../../shared/sessions/model.ts';
import { volumeStatuses, type SnapshotStatus } from '../../../shared/storage/model.ts';
import { sessionDocument } from '../../fakes/session-document.ts';
import { snapshotDocument, volumeDocument } from '../../fakes/volume-document.ts';

const session = sessionDocument();
const volume = volumeDocument({ size_gb: 20 });
const sessionsHold = { sessions: 1, cpu: 0.25, memory_gb: 0.5 };
const right = { [`session-${session.id}`]: sessionsHold, [`volume-${volume.id}`]: { pvcs: 1, storage_gb: 20 } };

describe('repairHolds', () => {
  it('finds nothing to do where the holds are what there is', () => {
    expect(repairHolds({ holds: right }, { sessions: [session], volumes: [volume], snapshots: [] })).toBeUndefined();
    expect(repairHolds({ holds: {} }, { sessions: [], volumes: [], snapshots: [] })).toBeUndefined();
  });

  it('adds what is missing, drops what is of nothing, corrects what has another size', () => {
    const existing = { sessions: [session], volumes: [volume], snapshots: [] };
    expect(repairHolds({ holds: {} }, existing)).toEqual(right);
    expect(repairHolds({ holds: { ...right, 'session-gone': sessionsHold, 'volume-gone': { buckets: 1 } } }, existing)).toEqual(right);
    expect(repairHolds({ holds: { ...right, [`volume-${volume.id}`]: { pvcs: 1, storage_gb: 10 } } }, existing)).toEqual(right);
  });

  it('counts a session from its admission until its pod is gone, and a volume until its disk is', () => {
    const counted = (status: (typeof sessionStatuses)[number]): boolean =>
      repairHolds({ holds: {} }, { sessions: [sessionDocument({ status })], volumes: [], snapshots: [] }) !== undefined;
    expect(sessionStatuses.filter(counted)).toEqual(['creating', 'running', 'stopping']);
    const released = (status: (typeof sessionStatuses)[number]): boolean =>
      repairHolds(
        { holds: { [`session-${session.id}`]: sessionsHold } },
        { sessions: [sessionDocument({ status })], volumes: [], snapshots: [] },
      ) !== undefined;
    expect(sessionStatuses.filter(released)).toEqual(['stopped', 'failed', 'terminated']);
    const kept = (status: (typeof volumeStatuses)[number]): boolean =>
      repairHolds({ holds: {} }, { sessions: [], volumes: [volumeDocument({ status })], snapshots: [] }) !== undefined;
    expect(volumeStatuses.filter(kept)).toEqual(['creating', 'ready', 'failed', 'deleting']);
  });

  it('gives nothing back to a session that ends from rest: it gave its place up when it stopped', () => {
    const ending = sessionDocument({ status: 'terminating' });
    expect(repairHolds({ holds: {} }, { sessions: [ending], volumes: [], snapshots: [] })).toBeUndefined();
    expect(
      repairHolds({ holds: { [`session-${ending.id}`]: sessionsHold } }, { sessions: [ending], volumes: [], snapshots: [] }),
    ).toBeUndefined();
  });

  it('leaves alone what it does not know how to count', () => {
    const holds = { ...right, 'job-1': { jobs: 1 } };
    expect(repairHolds({ holds }, { sessions: [session], volumes: [volume], snapshots: [] })).toBeUndefined();
    expect(repairHolds({ holds: { 'job-1': { jobs: 1 } } }, { sessions: [], volumes: [volume], snapshots: [] })).toEqual({
      'job-1': { jobs: 1 },
      [`volume-${volume.id}`]: { pvcs: 1, storage_gb: 20 },
    });
  });

  it('counts a snapshot until it is gone', () => {
    const snapshot = snapshotDocument({ size_gb: 7 });
    const hold = { [`snapshot-${snapshot.id}`]: { storage_gb: 7 } };
    const existing = (status: SnapshotStatus) => ({ sessions: [], volumes: [], snapshots: [{ ...snapshot, status }] });
    for (const status of ['creating', 'ready', 'failed', 'deleting'] as const) {
      expect(repairHolds({ holds: {} }, existing(status))).toEqual(hold);
      expect(repairHolds({ holds: hold }, existing(status))).toBeUndefined();
    }
    expect(repairHolds({ holds: hold }, existing('deleted'))).toEqual({});
  });

  it('takes a zero for nothing', () => {
    const holds = { [`session-${session.id}`]: { ...sessionsHold, gpus: 0 } };
    expect(repairHolds({ holds }, { sessions: [session], volumes: [], snapshots: [] })).toBeUndefined();
  });
});
