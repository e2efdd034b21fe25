import { describe, expect, it } from 'vitest';
import { defaultEntitlements } from '../../../shared/entitlements/limits.ts';
import { AppError } from '../../../shared/errors/app-error.ts';
import type { NamespaceDocument } from '../../../shared/namespaces/model.ts';
import { createSessionSchema } from '../../../shared/sessions/create-request.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { admitVolumes, type VolumeAdmission } from '../../../shared/storage/admit-volumes.ts';
import type { SnapshotDocument, VolumeDocument } from '../../../shared/storage/model.ts';
import { volumeId } from '../../../shared/storage/names.ts';
import { requestedVolumes } from '../../../shared/storage/requests.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { snapshotDocument, volumeDocument } from '../../fakes/volume-document.ts';

interface World {
  readonly session?: Partial<SessionDocument>;
  readonly volumes?: readonly VolumeDocument[];
  readonly namespaces?: readonly NamespaceDocument[];
  readonly snapshots?: readonly SnapshotDocument[];
  readonly type?: 'normal' | 'pro';
  readonly asked?: string;
}

function namespace(fields: Partial<NamespaceDocument>): NamespaceDocument {
  return {
    namespace: 'team',
    owner: 'bob',
    k8s_namespace: 'berth-team',
    state: 'active',
    sessions: {},
    emptied_at: null,
    k8s_uid: null,
    objects_digest: null,
    created_at: testNow.toISOString(),
    ...fields,
  };
}

function admit(body: object, { session = {}, volumes = [], namespaces = [], snapshots = [], type = 'normal', asked }: World = {}) {
  const document = sessionDocument({ status: 'creating', ...session });
  const admission: VolumeAdmission = {
    session: document,
    askedNamespace: asked ?? document.namespace,
    requests: requestedVolumes(createSessionSchema.parse(body)),
    volumes: new Map(volumes.map((volume) => [volume.id, volume])),
    namespaces: new Map(namespaces.map((item) => [item.namespace, item])),
    snapshots: new Map(snapshots.map((item) => [item.id, item])),
    entitlements: defaultEntitlements[type],
    installation: 'main',
    namespacePrefix: 'berth',
    now: testNow,
  };
  return admitVolumes(admission);
}

function refusal(body: object, world: World = {}): Pick<AppError, 'code' | 'errors'> {
  try {
    admit(body, world);
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, errors: error.errors };
    throw error;
  }
  throw new Error('it was not refused');
}

const sessionId = sessionDocument().id;
const data = volumeDocument({ id: volumeId('u-alice', 'persistent_volume', 'data') });
const byName = { volumes: [{ name: 'data', mount_path: '/data' }] };
const byId = (volume: VolumeDocument, fields: object = {}) => ({ volumes: [{ volume_id: volume.id, mount_path: '/data', ...fields }] });

describe('the time at which somebody has to look at a volume', () => {
  const due = '2026-03-01T12:00:00.000Z';

  it('stays what it is where something else than its making is under way', () => {
    expect(admit(byName, { volumes: [{ ...data, due_at: due }] }).documents[0]?.due_at).toBe(due);
  });

  it('is the session’s where it is still to be made', () => {
    expect(admit(byName, { volumes: [{ ...data, status: 'creating', due_at: due }] }).documents[0]?.due_at).toBeNull();
  });
});

describe('a new volume', () => {
  it('is named after its session, counts against its owner, and goes with the session', () => {
    const { mounts, documents, created, holds } = admit({ request_persistent_storage: true, persistent_storage_size_gb: 20 });
    const id = volumeId('u-alice', 'persistent_volume', `session-${sessionId}`);
    expect(documents).toEqual([
      {
        id,
        incarnation: sessionId,
        made_by: sessionId,
        type: 'persistent_volume',
        name: `session-${sessionId}`,
        user: 'alice',
        namespace: 'u-alice',
        k8s_namespace: 'berth-u-alice',
        claim_name: `berth-${id}`,
        bucket_name: null,
        bucket_is_ours: false,
        storage_class: 'standard-rwo',
        shared: false,
        size_gb: 20,
        status: 'creating',
        reason: null,
        retain: false,
        sessions: { [sessionId]: true },
        grants: {},
        snapshot_id: null,
        created_at: testNow.toISOString(),
        updated_at: testNow.toISOString(),
        due_at: null,
        purge_at: null,
      },
    ]);
    expect(created).toEqual([id]);
    expect([...holds]).toEqual([[id, { pvcs: 1, storage_gb: 20 }]]);
    expect(mounts).toEqual([
      {
        volume_id: id,
        type: 'persistent_volume',
        source: `berth-${id}`,
        mount_path: '/workspace',
        read_only: false,
        size_gb: 20,
        shared: false,
      },
    ]);
  });

  it('stays where it was given a name and the session preserves its data; the session’s own is decided at its end', () => {
    const session = { preserve_data: true };
    expect(admit(byName, { session }).documents[0]?.retain).toBe(true);
    expect(admit({ request_persistent_storage: true }, { session }).documents[0]?.retain).toBe(false);
    expect(admit({ volumes: [{ name: 'data', mount_path: '/data', retain: true }] }).documents[0]?.retain).toBe(true);
  });

  it('takes the place of one that is gone', () => {
    const { created } = admit(byName, { volumes: [{ ...data, status: 'deleted' }] });
    expect(created).toEqual([data.id]);
  });

  it('is a Filestore share where sessions on several nodes are to have it', () => {
    const body = { volumes: [{ name: 'data', mount_path: '/data', shared: true }] };
    expect(admit(body).documents[0]).toMatchObject({ shared: true, storage_class: 'standard-rwx' });
  });

  it('of a bucket is the namespace’s own, whose name every pod has in BUCKET_NAME', () => {
    const { documents, holds } = admit({ request_bucket: true });
    expect(documents[0]).toMatchObject({ type: 'gcs_fuse', bucket_is_ours: true, claim_name: null, shared: true });
    expect(documents[0]?.bucket_name).toMatch(/^berth-u-alice-[0-9a-f]{10}$/);
    expect([...holds.values()]).toEqual([{ buckets: 1, storage_gb: 10 }]);
  });

  it('is two mounts of one bucket where two prefixes are asked for, and counts once', () => {
    const body = { volumes: ['a', 'b'].map((prefix) => ({ type: 'gcs_fuse', prefix, mount_path: `/${prefix}` })) };
    const { mounts, documents, holds } = admit(body);
    expect(mounts.map(({ prefix }) => prefix)).toEqual(['a', 'b']);
    expect([documents.length, holds.size]).toEqual([1, 1]);
  });

  it('cannot have a name that Berth gives, nor be a bucket of Berth by its name', () => {
    expect(refusal({ volumes: [{ name: 'session-1', mount_path: '/a' }] })).toMatchObject({
      code: 'unknown_volume',
      errors: [{ path: 'volumes[0].name' }],
    });
    const stolen = { storage_config: { storage_type: 'gcs_fuse', bucket_name: 'berth-u-bob-0123456789' } };
    expect(refusal(stolen)).toMatchObject({ code: 'validation_failed', errors: [{ path: 'storage_config.bucket_name' }] });
  });

  describe('from a snapshot', () => {
    const snapshot = snapshotDocument({ size_gb: 30 });
    const body = (fields: object = {}) => ({ volumes: [{ name: 'copy', mount_path: '/data', snapshot_id: snapshot.id, ...fields }] });

    it('has its size at least', () => {
      expect(admit(body(), { snapshots: [snapshot] }).documents[0]).toMatchObject({ size_gb: 30, snapshot_id: snapshot.id });
      expect(admit(body({ size_gb: 40 }), { snapshots: [snapshot] }).documents[0]).toMatchObject({ size_gb: 40 });
      expect(refusal(body({ size_gb: 20 }), { snapshots: [snapshot] })).toMatchObject({ errors: [{ path: 'volumes[0].size_gb' }] });
    });

    for (const fields of [{ user: 'bob' }, { namespace: 'team' }, { status: 'creating' }] as const) {
      it(`is refused where it is ${JSON.stringify(fields)}`, () => {
        expect(refusal(body(), { snapshots: [{ ...snapshot, ...fields }] })).toMatchObject({
          code: 'unknown_snapshot',
          errors: [{ path: 'volumes[0].snapshot_id' }],
        });
      });
    }
  });
});

describe('a volume that is there', () => {
  it('is mounted as it is, by its name or its id, and counts no more', () => {
    for (const body of [byName, byId(data)]) {
      const { mounts, documents, created, holds } = admit(body, { volumes: [data] });
      expect(mounts).toMatchObject([{ volume_id: data.id, source: data.claim_name, mount_path: '/data' }]);
      expect(documents).toMatchObject([{ ...data, updated_at: testNow.toISOString(), sessions: { [sessionId]: true } }]);
      expect([created.length, holds.size]).toEqual([0, 0]);
    }
  });

  it('is what it is: another size or class is a warning, never a change', () => {
    const body = { volumes: [{ name: 'data', mount_path: '/data', size_gb: 99, storage_class: 'premium-rwo', shared: true }] };
    const { documents, warnings } = admit(body, { volumes: [data] });
    expect(documents).toMatchObject([{ size_gb: 10, storage_class: 'standard-rwo', shared: false }]);
    expect(warnings).toHaveLength(3);
  });

  it('may be mounted by a second session', () => {
    const { documents } = admit(byName, { volumes: [{ ...data, sessions: { other: true } }] });
    expect(documents[0]?.sessions).toEqual({ other: true, [sessionId]: true });
  });

  it('of another user is unknown, as one that is not there', () => {
    const bobs = { ...data, user: 'bob' };
    const unknown = {
      code: 'unknown_volume',
      errors: [{ path: 'volumes[0].volume_id', message: 'no such volume; GET /v1/storage lists them' }],
    };
    expect(refusal(byId(bobs), { volumes: [bobs] })).toEqual(unknown);
    expect(refusal(byId(bobs))).toEqual(unknown);
    expect(refusal(byId(bobs), { volumes: [{ ...bobs, status: 'deleted' }] })).toEqual(unknown);
  });

  it('is mounted for reading only where it is shared for reading', () => {
    const shared = { ...data, user: 'bob', grants: { alice: 'read' as const } };
    expect(refusal(byId(shared), { volumes: [shared] })).toMatchObject({ code: 'forbidden', errors: [{ path: 'volumes[0].read_only' }] });
    expect(admit(byId(shared, { read_only: true }), { volumes: [shared] }).mounts).toMatchObject([{ read_only: true }]);
    const written = { ...shared, grants: { alice: 'write' as const } };
    expect(admit(byId(written), { volumes: [written] }).mounts).toMatchObject([{ read_only: false }]);
  });

  it('of a namespace that is shared counts as shared', () => {
    const bobs = { ...data, user: 'bob' };
    const namespaces = [namespace({ namespace: 'u-alice', grants: { alice: 'write' }, volumes: { [data.id]: true } })];
    expect(admit(byId(bobs), { volumes: [bobs], namespaces }).mounts).toHaveLength(1);
  });

  it('of another namespace needs the right to it', () => {
    const elsewhere = { ...data, namespace: 'team', k8s_namespace: 'berth-team' };
    const world: World = { volumes: [elsewhere], session: { namespace: 'team', k8s_namespace: 'berth-team' }, asked: 'u-alice' };
    expect(refusal(byId(elsewhere), world)).toMatchObject({ code: 'not_entitled', errors: [{ path: 'volumes[0].volume_id' }] });
    expect(admit(byId(elsewhere), { ...world, type: 'pro' }).mounts).toHaveLength(1);
  });

  it('that is a claim is not mounted from another namespace, entitled or not; a bucket is', () => {
    const claim = { ...data, namespace: 'team' };
    expect(refusal(byId(claim), { volumes: [claim], type: 'pro' })).toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'volumes[0].volume_id', message: 'is in the namespace "team": create the session there' }],
    });
    const bucket: VolumeDocument = { ...claim, type: 'gcs_fuse', bucket_name: 'b', claim_name: null };
    expect(admit(byId(bucket), { volumes: [bucket], type: 'pro' }).mounts).toMatchObject([{ type: 'gcs_fuse', source: 'b' }]);
  });

  it('lets nobody have buckets in a namespace that is not theirs: pods there share one service account', () => {
    const world: World = { session: { namespace: 'team' }, namespaces: [namespace({})], type: 'pro' };
    expect(refusal({ request_bucket: true }, world)).toMatchObject({ code: 'forbidden' });
    expect(admit({ request_bucket: true }, { ...world, namespaces: [namespace({ owner: 'alice' })] }).created).toHaveLength(1);
  });

  it('that is being deleted is refused for the moment', () => {
    expect(refusal(byName, { volumes: [{ ...data, status: 'deleting' }] })).toMatchObject({ code: 'volume_deleting' });
  });

  it('that could not be made is tried again', () => {
    const { documents } = admit(byName, { volumes: [{ ...data, status: 'failed', reason: 'x: y' }] });
    expect(documents).toMatchObject([{ status: 'creating', reason: null }]);
  });

  it('is no place for a snapshot, and no other bucket', () => {
    const body = { volumes: [{ name: 'data', mount_path: '/data', snapshot_id: snapshotDocument().id }] };
    expect(refusal(body, { volumes: [data] })).toMatchObject({ errors: [{ path: 'volumes[0].snapshot_id' }] });
  });
});
