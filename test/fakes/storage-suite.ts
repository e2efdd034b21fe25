/**
 * What becomes of the data of sessions, against a cluster: the embedded one or a real one.
 */
import { readdir, readFile, rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { usageOf } from '../../shared/entitlements/admit.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { newId } from '../../shared/ids.ts';
import { isNotFound } from '../../shared/kubernetes/errors.ts';
import { userKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import { startLife, type Life, type LifeOptions } from './life.ts';

export interface StorageWorld {
  readonly kubeconfigFile: string;
  /** Where the embedded cluster keeps the folders of its volumes. */
  readonly volumesFolder?: string;
  /** The cluster can make and restore snapshots. */
  readonly snapshots: boolean;
}

const WAIT = { waitSeconds: 60 };
const SOON = { timeout: 30_000, interval: 100 };
const SLOW = 120_000;
/** One claim at a time is a normal user's limit; the tests need a few. */
const env = { BERTH_DEFAULT_USER_TYPE: 'pro' };

export function describeStorage(world: () => StorageWorld): void {
  const installation = `st-${newId().slice(0, 8)}`;
  // A user of its own for each test, so that no test sees another's namespace.
  const callerOf = (user: string): Caller => ({ keyId: 'k', kind: 'user', user, requestId: 'r' });
  let directory: string;
  let options: LifeOptions;
  let life: Life;
  const log: string[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-storage-'));
    options = {
      databaseFile: join(directory, 'berth.db'),
      kubeconfigFile: world().kubeconfigFile,
      installation,
      env,
      log: (line) => log.push(line),
    };
    life = await startLife(options);
  });

  afterAll(async () => {
    // Namespaces are made with this installation's label and go with everything in them.
    const { core } = await life.deps.kubernetes();
    const { items } = await core.listNamespace({ labelSelector: `berth.dev/installation=${installation}` });
    await Promise.all(items.map(({ metadata }) => core.deleteNamespace({ name: metadata?.name ?? '' })));
    await life.end();
    await rm(directory, { recursive: true, force: true });
  });

  async function run(caller: Caller, session: SessionDocument, command: string): Promise<string> {
    const result = await life.services.execute(caller, session.id, { command }, AbortSignal.timeout(30_000));
    return result.success ? result.stdout : `${result.end}: ${result.stderr}`;
  }

  async function volumeOf(caller: Caller, session: SessionDocument): Promise<VolumeDocument> {
    return (await life.services.getVolume(caller, session.spec.volumes[0]?.volume_id ?? '')).volume;
  }

  async function claimExists(volume: VolumeDocument): Promise<boolean> {
    const { core } = await life.deps.kubernetes();
    return core.readNamespacedPersistentVolumeClaim({ name: volume.claim_name ?? '', namespace: volume.k8s_namespace }).then(
      () => true,
      (error: unknown) => (isNotFound(error) ? false : Promise.reject(error instanceof Error ? error : new Error(String(error)))),
    );
  }

  async function usage(caller: Caller): Promise<{ readonly pvcs: number; readonly storage_gb: number }> {
    const stored = await life.deps.store.get<UserDocument>(userKey(caller.user ?? ''));
    const { pvcs, storage_gb } = usageOf(stored?.data.holds ?? {});
    return { pvcs, storage_gb };
  }

  async function refusal(call: Promise<unknown>): Promise<AppError> {
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error instanceof AppError) return error;
    throw new Error(`it was not refused: ${String(error)}`);
  }

  describe('what was written to a persistent workspace', () => {
    it('is there after its pod was deleted by hand', { timeout: SLOW }, async () => {
      const caller = callerOf(`pod-${newId().slice(0, 6)}`);
      const { session } = await life.services.createSession(
        caller,
        { request_persistent_storage: true, persistent_storage_size_gb: 1 },
        WAIT,
      );
      expect({ status: session.status, reason: session.reason, storage: session.spec.storage_type }).toEqual({
        status: 'running',
        reason: null,
        storage: 'persistent_volume',
      });
      expect(await run(caller, session, 'echo kept > "$HOME/file"; cat "$HOME/file"')).toBe('kept\n');
      const { core } = await life.deps.kubernetes();
      await core.deleteNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
      await expect
        .poll(async () => {
          await life.services.sweep();
          const { status, generation } = await life.services.getSession(caller, session.id);
          return { status, generation };
        }, SOON)
        .toEqual({ status: 'running', generation: 2 });
      expect(await run(caller, session, 'cat "$HOME/file"')).toBe('kept\n');
      await life.services.deleteSession(caller, session.id);
    });

    it('is gone with the session: the claim, its place among the limits, and the folder', { timeout: SLOW }, async () => {
      const caller = callerOf(`gone-${newId().slice(0, 6)}`);
      const { session } = await life.services.createSession(
        caller,
        { request_persistent_storage: true, persistent_storage_size_gb: 1 },
        WAIT,
      );
      await run(caller, session, 'echo lost > "$HOME/file"');
      const volume = await volumeOf(caller, session);
      expect(await usage(caller)).toEqual({ pvcs: 1, storage_gb: 1 });
      expect(await claimExists(volume)).toBe(true);
      const { volumesFolder } = world();
      const { core } = await life.deps.kubernetes();
      const claim = await core.readNamespacedPersistentVolumeClaim({ name: volume.claim_name ?? '', namespace: volume.k8s_namespace });
      const folder = claim.spec?.volumeName ?? '';
      if (volumesFolder !== undefined) expect(await readdir(volumesFolder)).toContain(folder);

      await life.services.deleteSession(caller, session.id);
      await expect.poll(async () => (await volumeOf(caller, session)).status, SOON).toBe('deleted');
      expect(await claimExists(volume)).toBe(false);
      expect(await usage(caller)).toEqual({ pvcs: 0, storage_gb: 0 });
      if (volumesFolder !== undefined) await expect.poll(async () => readdir(volumesFolder), SOON).not.toContain(folder);
    });

    it('stays where the end preserves it, and is there for the next session that mounts it', { timeout: SLOW }, async () => {
      const caller = callerOf(`kept-${newId().slice(0, 6)}`);
      const first = await life.services.createSession(caller, { request_persistent_storage: true, persistent_storage_size_gb: 1 }, WAIT);
      await run(caller, first.session, 'echo kept > "$HOME/file"');
      await life.services.deleteSession(caller, first.session.id, { preserveData: true });
      await expect.poll(async () => (await life.services.getSession(caller, first.session.id)).status, SOON).toBe('terminated');
      const volume = await volumeOf(caller, first.session);
      expect(volume).toMatchObject({ status: 'ready', retain: true, sessions: {} });
      expect(await usage(caller)).toEqual({ pvcs: 1, storage_gb: 1 });
      await life.services.sweep();
      // The service is started anew in between.
      await life.end();
      life = await startLife(options);

      const body = { volumes: [{ volume_id: volume.id, mount_path: '/workspace' }] };
      const second = await life.services.createSession(caller, body, WAIT);
      expect(await run(caller, second.session, 'cat "$HOME/file"')).toBe('kept\n');
      await life.services.deleteSession(caller, second.session.id);
      await expect.poll(async () => (await life.services.getSession(caller, second.session.id)).status, SOON).toBe('terminated');
      expect(await volumeOf(caller, first.session)).toMatchObject({ status: 'ready' });

      expect(await life.services.deleteVolume(caller, volume.id)).toMatch(/^delet/);
      await expect
        .poll(async () => {
          await life.services.sweep();
          return (await volumeOf(caller, first.session)).status;
        }, SOON)
        .toBe('deleted');
      expect(await claimExists(volume)).toBe(false);
      expect(await usage(caller)).toEqual({ pvcs: 0, storage_gb: 0 });
    });
  });

  describe('a volume of its own', () => {
    it('is made without a session, mounted by two at once, not deleted under them, and grows', { timeout: SLOW }, async () => {
      const caller = callerOf(`own-${newId().slice(0, 6)}`);
      const made = await life.services.createVolume(caller, { name: 'data', size_gb: 1 });
      expect(made).toMatchObject({ status: 'ready', name: 'data', retain: true, storage_class: 'standard-rwo' });
      expect((await life.services.getVolume(caller, made.id)).claim).toEqual({ phase: 'Pending', capacity_gb: null });
      expect((await refusal(life.services.createVolume(caller, { name: 'data' }))).code).toBe('volume_exists');
      expect((await refusal(life.services.updateVolume(caller, made.id, { size_gb: 2 }))).code).toBe('volume_unbound');

      const body = { volumes: [{ name: 'data', mount_path: '/data' }] };
      const [one, two] = await Promise.all([
        life.services.createSession(caller, body, WAIT),
        life.services.createSession(caller, body, WAIT),
      ]);
      expect([one.session.status, two.session.status]).toEqual(['running', 'running']);
      expect(two.session.node_name).toBe(one.session.node_name);
      await run(caller, one.session, 'echo shared > /data/file');
      expect(await run(caller, two.session, 'cat /data/file')).toBe('shared\n');

      const { claim, volume } = await life.services.getVolume(caller, made.id);
      expect(claim).toMatchObject({ phase: 'Bound', capacity_gb: 1 });
      expect(Object.keys(volume.sessions).toSorted()).toEqual([one.session.id, two.session.id].toSorted());
      const inUse = await refusal(life.services.deleteVolume(caller, made.id));
      expect(inUse).toMatchObject({ code: 'volume_in_use' });
      expect(inUse.detail).toContain(one.session.id);

      expect((await refusal(life.services.updateVolume(caller, made.id, { size_gb: 0.5 }))).errors).toEqual([
        { path: 'size_gb', message: 'must be at least 1' },
      ]);
      expect(await life.services.updateVolume(caller, made.id, { size_gb: 2 })).toMatchObject({ size_gb: 2 });
      const { core } = await life.deps.kubernetes();
      const grown = await core.readNamespacedPersistentVolumeClaim({ name: made.claim_name ?? '', namespace: made.k8s_namespace });
      expect(grown.spec?.resources?.requests).toEqual({ storage: '2Gi' });
      expect(await usage(caller)).toEqual({ pvcs: 1, storage_gb: 2 });

      for (const { session } of [one, two]) await life.services.deleteSession(caller, session.id);
      await expect.poll(async () => (await life.services.getVolume(caller, made.id)).volume.sessions, SOON).toEqual({});
      await life.services.deleteVolume(caller, made.id);
      await expect.poll(async () => claimExists(made), SOON).toBe(false);
    });

    it('of another user cannot be seen, mounted or deleted, and is not told from one that is not there', { timeout: SLOW }, async () => {
      const [alice, mallory] = [callerOf(`a-${newId().slice(0, 6)}`), callerOf(`m-${newId().slice(0, 6)}`)];
      const made = await life.services.createVolume(alice, { name: 'secret', size_gb: 1 });
      const body = { volumes: [{ volume_id: made.id, mount_path: '/data' }] };
      expect((await refusal(life.services.createSession(mallory, body, WAIT))).code).toBe('unknown_volume');
      for (const call of [
        life.services.getVolume(mallory, made.id),
        life.services.deleteVolume(mallory, made.id),
        life.services.updateVolume(mallory, made.id, { retain: false }),
        life.services.takeSnapshot(mallory, made.id),
      ])
        expect((await refusal(call)).code).toBe('not_found');
      expect((await life.services.listVolumes(mallory, { limit: 10 })).volumes).toEqual([]);
      expect((await life.services.listVolumes(alice, { limit: 10 })).volumes.map(({ id }) => id)).toEqual([made.id]);
      await life.services.deleteVolume(alice, made.id);
    });
  });

  it(
    'a volume that is shared is mounted by the other user, in the namespace where it is, and as far as it is shared',
    { timeout: SLOW },
    async () => {
      const [alice, bob] = [callerOf(`sa-${newId().slice(0, 6)}`), callerOf(`sb-${newId().slice(0, 6)}`)];
      const made = await life.services.createVolume(alice, { name: 'shared', size_gb: 1 });
      const mount = { volume_id: made.id, mount_path: '/data' };
      const first = await life.services.createSession(alice, { volumes: [mount] }, WAIT);
      await run(alice, first.session, 'echo hers > /data/file; chmod 666 /data/file');

      await life.services.putGrant(alice, 'volume', made.id, { user: bob.user ?? '', access: 'read' });
      expect((await refusal(life.services.createSession(bob, { volumes: [mount] }, WAIT))).code).toBe('forbidden');
      const { session } = await life.services.createSession(bob, { volumes: [{ ...mount, read_only: true }] }, WAIT);
      expect({ status: session.status, namespace: session.k8s_namespace }).toEqual({ status: 'running', namespace: made.k8s_namespace });
      expect(session.warnings.join(' ')).toContain('where its volume is');
      expect(await run(bob, session, 'cat /data/file; echo his > /data/file || echo refused')).toBe('hers\nrefused\n');
      expect((await refusal(life.services.deleteVolume(bob, made.id))).code).toBe('forbidden');
      expect(await usage(bob)).toEqual({ pvcs: 0, storage_gb: 0 });

      // What bob ends is his session alone, whatever he asks for.
      await life.services.deleteSession(bob, session.id, { preserveData: false });
      await life.services.deleteSession(alice, first.session.id);
      await expect.poll(async () => (await life.services.getVolume(alice, made.id)).volume.sessions, SOON).toEqual({});
      expect((await life.services.getVolume(alice, made.id)).volume.status).toBe('ready');
      await life.services.deleteVolume(alice, made.id);
    },
  );

  it('a claim that can never be bound is named as what keeps the session from starting', { timeout: SLOW }, async () => {
    const caller = callerOf(`never-${newId().slice(0, 6)}`);
    const body = { request_persistent_storage: true, storage_config: { storage_class: 'no-such-class' } };
    const { session } = await life.services.createSession(caller, body, { waitSeconds: 2 });
    expect(session.status).toBe('creating');
    // An unschedulable pod is waited for a minute; for this one it is over.
    const later = await startLife({ ...options, aheadMs: 65_000 });
    try {
      await later.services.runTask('provision', { session_id: session.id });
      const failed = await later.services.getSession(caller, session.id);
      expect(failed.status).toBe('failed');
      expect(failed.reason).toMatch(/^claim_unbound: The claim "berth-[0-9a-f]{32}" is not bound \(Pending\).*"no-such-class" not found/);
    } finally {
      await later.end();
    }
    await life.services.deleteSession(caller, session.id);
    await expect.poll(async () => (await volumeOf(caller, session)).status, SOON).toBe('deleted');
  });

  it('values of env are in no document, answer or log, also after a restart', { timeout: SLOW }, async () => {
    const caller = callerOf(`env-${newId().slice(0, 6)}`);
    const value = `s3cret-${newId()}`;
    const body = { env: { TOKEN: value }, request_persistent_storage: true, persistent_storage_size_gb: 1 };
    const { session } = await life.services.createSession(caller, body, WAIT);
    expect(await run(caller, session, 'printf %s "$TOKEN" | wc -c')).toBe(`${String(value.length)}\n`);
    const restarted = await life.services.restartSession(caller, session.id, WAIT);
    expect(restarted).toMatchObject({ status: 'running', generation: 2 });
    expect(await run(caller, session, 'printf %s "$TOKEN" | wc -c')).toBe(`${String(value.length)}\n`);
    const answers = [
      session,
      restarted,
      await life.services.getSession(caller, session.id),
      await life.services.sessionEvents(caller, session.id),
    ];
    expect(JSON.stringify(answers)).not.toContain(value);
    const files = (await readdir(directory)).filter((name) => name.startsWith('berth.db'));
    expect(files.length).toBeGreaterThan(0);
    for (const name of files) expect((await readFile(join(directory, name))).includes(value)).toBe(false);
    expect(log.length).toBeGreaterThan(0);
    expect(log.filter((line) => line.includes(value))).toEqual([]);
    await life.services.deleteSession(caller, session.id);
  });

  it('a snapshot becomes a new volume, or the cluster says that it makes none', { timeout: SLOW }, async () => {
    const caller = callerOf(`snap-${newId().slice(0, 6)}`);
    const made = await life.services.createVolume(caller, { name: 'data', size_gb: 1 });
    expect((await refusal(life.services.takeSnapshot(caller, made.id))).code).toBe('volume_unbound');
    const { session } = await life.services.createSession(caller, { volumes: [{ name: 'data', mount_path: '/data' }] }, WAIT);
    await run(caller, session, 'echo before > /data/file; chmod 600 /data/file');
    if (!world().snapshots) {
      expect((await refusal(life.services.takeSnapshot(caller, made.id))).code).toBe('snapshots_unsupported');
      expect((await life.services.listSnapshots(caller, made.id, { limit: 10 })).snapshots).toEqual([]);
      await life.services.deleteSession(caller, session.id);
      await life.services.deleteVolume(caller, made.id);
      return;
    }
    const taken = await life.services.takeSnapshot(caller, made.id);
    await expect.poll(async () => (await life.services.getSnapshot(caller, made.id, taken.id)).status, SOON).toBe('ready');
    await run(caller, session, 'echo after > /data/file');
    const body = { volumes: [{ name: 'copy', mount_path: '/data', snapshot_id: taken.id }] };
    const copy = await life.services.createSession(caller, body, WAIT);
    expect({ status: copy.session.status, reason: copy.session.reason }).toEqual({ status: 'running', reason: null });
    expect(await run(caller, copy.session, 'cat /data/file; echo mine > /data/file; cat /data/file')).toBe('before\nmine\n');
    expect(await run(caller, session, 'cat /data/file')).toBe('after\n');

    await life.services.removeSnapshot(caller, made.id, taken.id);
    await expect.poll(async () => (await life.services.listSnapshots(caller, made.id, { limit: 10 })).snapshots, SOON).toEqual([]);
    for (const { id } of [session, copy.session]) await life.services.deleteSession(caller, id);
    await expect.poll(async () => (await life.services.getVolume(caller, made.id)).volume.sessions, SOON).toEqual({});
    await life.services.deleteVolume(caller, made.id);
  });
}
