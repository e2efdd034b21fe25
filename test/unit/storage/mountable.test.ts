import { describe, expect, it } from 'vitest';
import { detachable, notMountable } from '../../../shared/storage/mountable.ts';
import type { SessionVolume, VolumeDocument } from '../../../shared/storage/model.ts';
import { neededReaders } from '../../../shared/storage/readers.ts';
import { sessionDocument } from '../../fakes/session-document.ts';
import { volumeDocument } from '../../fakes/volume-document.ts';
import { namespaceDocument } from '../sweep/documents.ts';

const volume = volumeDocument({ user: 'bob', namespace: 'team' });

function sessionWith(readOnly: boolean) {
  const mount: SessionVolume = {
    volume_id: volume.id,
    type: 'persistent_volume',
    source: 'c',
    mount_path: '/data',
    read_only: readOnly,
    size_gb: 1,
    shared: false,
  };
  return sessionDocument({ user: 'alice', spec: { ...sessionDocument().spec, volumes: [mount] } });
}

function paths(readOnly: boolean, fields: Partial<VolumeDocument>, grants: Record<string, 'read' | 'write'> = {}): readonly string[] {
  const team = namespaceDocument({ namespace: 'team', owner: 'bob', grants, volumes: { [volume.id]: true } });
  const volumes = new Map([[volume.id, { ...volume, ...fields }]]);
  return notMountable(sessionWith(readOnly), volumes, new Map([['team', team]])).map(({ mount_path: path }) => path);
}

describe('what a session mounts', () => {
  it('stays its user’s to mount while that is the owner, or has a grant of the volume or its namespace', () => {
    expect(paths(false, { user: 'alice' })).toEqual([]);
    expect(paths(false, { grants: { alice: 'write' } })).toEqual([]);
    expect(paths(false, {}, { alice: 'write' })).toEqual([]);
    expect(paths(true, { grants: { alice: 'read' } })).toEqual([]);
  });

  it('is not any more once the grant is withdrawn, or is for reading what is mounted for writing', () => {
    expect(paths(false, {})).toEqual(['/data']);
    expect(paths(true, {})).toEqual(['/data']);
    expect(paths(false, { grants: { alice: 'read' } })).toEqual(['/data']);
  });
});

describe('a session that keeps its volume from being deleted', () => {
  const of = (fields: Parameters<typeof sessionDocument>[0], grants = {}) =>
    detachable({ ...volume, grants }, [sessionDocument({ user: 'alice', ...fields })], undefined).size === 0;

  it('does so while it has a pod, is its owner’s, or may still mount it', () => {
    expect(of({ status: 'running' })).toBe(true);
    expect(of({ status: 'stopping' })).toBe(true);
    expect(of({ status: 'stopped', user: 'bob' })).toBe(true);
    expect(of({ status: 'stopped' }, { alice: 'read' })).toBe(true);
  });

  it('does not where it rests and its user may not mount it any more', () => {
    expect(of({ status: 'stopped' })).toBe(false);
    expect(of({ status: 'failed' })).toBe(false);
  });
});

it('a bucket is open to the namespaces of the sessions whose users may have it', () => {
  const sessions = [
    { user: 'bob', k8s_namespace: 'berth-bob-2' },
    { user: 'alice', k8s_namespace: 'berth-alice' },
    { user: 'eve', k8s_namespace: 'berth-eve' },
  ];
  expect([...neededReaders({ ...volume, grants: { alice: 'read' } }, sessions, undefined)]).toEqual(['berth-bob-2', 'berth-alice']);
});
