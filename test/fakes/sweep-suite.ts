/**
 * What the sweep finds and does in a cluster: objects that somebody made by hand, pods that are gone, outages. Held against the embedded
 * cluster and a real one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import type { DocumentKey, StoredDocument, Write } from '../../shared/documents/port.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import { isNotFound } from '../../shared/kubernetes/errors.ts';
import type { Kubernetes } from '../../shared/kubernetes/port.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { namespaceKey, userKey, volumeKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import type { CursorDocument } from '../../shared/sweep/cursor.ts';
import { startLife, type Life } from './life.ts';
import { makeByHand, removeByHand, type ByHand } from './made-by-hand.ts';

export interface SweepCluster {
  readonly kubeconfigFile: string;
  /** A version of its objects that it no longer knows, or never did. */
  readonly forgottenVersion: string;
  stop(): Promise<void>;
}

const alice: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const wait = { waitSeconds: 60 };
const cursorKey = { collection: 'sweep', id: 'cursor' };
/** Well past the time after which a namespace that does not go is told of. */
const LATER_MS = 10 * 60_000;

/** `brief`: what a cluster decides by itself; the rest takes the same way and minutes on a real one, and is `npm run soak`'s there. */
export function describeSweep(title: string, connect: () => Promise<SweepCluster>, { brief = false } = {}): void {
  describe(title, { timeout: 120_000 }, () => {
    let cluster: SweepCluster;
    let directory: string;
    let life: Life;
    let kubernetes: Kubernetes;
    let installation: string;
    let isAway = false;
    /** Method and path of what was asked of the cluster. */
    let asked: string[] = [];

    const interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
      if (isAway) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      asked.push(`${options.method} ${options.path}`);
      return dispatch(options, handler);
    };

    const startIn = (aheadMs = 0): Promise<Life> =>
      startLife({
        databaseFile: join(directory, `${installation}.db`),
        kubeconfigFile: cluster.kubeconfigFile,
        installation,
        interceptors: [interceptor],
        aheadMs,
        env: { BERTH_ORPHAN_GRACE_SECONDS: '6', BERTH_NAMESPACE_PREFIX: `berth-${installation}` },
      });

    beforeAll(async () => {
      cluster = await connect();
      directory = await mkdtemp(join(tmpdir(), 'berth-sweep-'));
    });

    afterAll(async () => {
      await cluster.stop();
      await rm(directory, { recursive: true, force: true });
    });

    beforeEach(async () => {
      installation = newId().slice(0, 8);
      life = await startIn();
      kubernetes = await life.deps.kubernetes();
    });

    afterEach(async () => {
      isAway = false;
      const { sessions } = await life.services.listSessions(alice, { labels: {}, limit: 100 });
      for (const session of sessions) await life.services.deleteSession(alice, session.id);
      await life.services.sweep();
      await life.end();
    });

    const create = async (): Promise<SessionDocument> => {
      const { session } = await life.services.createSession(alice, {}, wait);
      expect(session).toMatchObject({ status: 'running', reason: null });
      return session;
    };

    describe('objects that somebody made by hand', () => {
      let neighbour: ByHand | undefined;
      let made: ByHand;

      beforeEach(async () => {
        // From here on the sweep only follows changes.
        expect(await life.services.sweep()).toMatchObject({ full: true });
        made = await makeByHand(kubernetes, installation);
      });

      afterEach(async () => {
        for (const each of [made, neighbour]) if (each !== undefined) await removeByHand(kubernetes, each);
        neighbour = undefined;
      });

      it('under our labels go once they are old enough, though nothing tells of them a second time', async () => {
        expect(await life.services.sweep()).toMatchObject({ full: false, actions: {} });
        expect(await made.left(kubernetes)).toEqual(['claim', 'namespace', 'pod', 'policy']);
        await expect
          .poll(
            async () => {
              expect(await life.services.sweep()).toMatchObject({ full: false, failures: 0 });
              return made.left(kubernetes);
            },
            { timeout: 90_000, interval: 500 },
          )
          .toEqual([]);
      });

      it.skipIf(brief)('under the labels of another installation stay', async () => {
        neighbour = await makeByHand(kubernetes, `${installation}-b`);
        await expect
          .poll(
            async () => {
              await life.services.sweep({ full: true });
              return made.left(kubernetes);
            },
            { timeout: 90_000, interval: 500 },
          )
          .toEqual([]);
        expect(await neighbour.left(kubernetes)).toEqual(['claim', 'namespace', 'pod', 'policy']);
      });

      it.skipIf(brief)('are named by a dry run, which does nothing', async () => {
        await expect
          .poll(async () => Object.keys((await life.services.sweep({ dryRun: true })).actions).toSorted(), { timeout: 20_000 })
          .toEqual(['remove_claim', 'remove_namespace', 'remove_pod', 'remove_policy']);
        asked = [];
        const report = await life.services.sweep({ dryRun: true });
        expect(report['planned']).toContainEqual({
          action: 'remove_pod',
          object: 'by-hand',
          k8s_namespace: made.neutral,
          why: 'its session is not known',
        });
        expect(asked.filter((request) => !request.startsWith('GET '))).toEqual([]);
        expect(await made.left(kubernetes)).toEqual(['claim', 'namespace', 'pod', 'policy']);
      });
    });

    describe('a pod that is deleted by hand', () => {
      it.skipIf(brief)('is missed at the next pass, whether that follows changes or compares everything', async () => {
        await life.services.sweep();
        for (const full of [false, true]) {
          const session = await create();
          await life.services.sweep();
          await deletePod(kubernetes, session);
          const report = await life.services.sweep({ full });
          expect(report).toMatchObject({ full, actions: { pod_lost: 1 } });
          expect(await life.services.getSession(alice, session.id)).toMatchObject({
            status: 'failed',
            reason: expect.stringMatching(/^pod_lost: /) as string,
          });
        }
      });
    });

    describe('a namespace', () => {
      it.skipIf(brief)('gets back the policies that somebody removed', async () => {
        await life.services.sweep();
        const { k8s_namespace: namespace } = await create();
        await kubernetes.networking.deleteNamespacedNetworkPolicy({ name: 'berth-deny', namespace });
        expect((await life.services.sweep()).actions).toMatchObject({ mend_namespace: 1 });
        expect((await kubernetes.networking.readNamespacedNetworkPolicy({ name: 'berth-deny', namespace })).metadata?.name).toBe(
          'berth-deny',
        );
      });

      it('that does not go is told of and not asked again; it is forgotten when it has gone', async () => {
        const { id, k8s_namespace: namespace, namespace: name } = await create();
        const body = { metadata: { name: 'held', finalizers: ['example.com/held'] } };
        await kubernetes.core.createNamespacedConfigMap({ namespace, body });
        await life.services.deleteSession(alice, id);
        expect((await life.services.sweep()).actions).toMatchObject({ release_namespace: 1 });
        const later = await startIn(LATER_MS);
        asked = [];
        expect((await later.services.sweep()).actions).toMatchObject({ namespace_stuck: 1 });
        await later.end();
        expect(asked.filter((request) => request.startsWith('DELETE '))).toEqual([]);
        await kubernetes.core.replaceNamespacedConfigMap({ namespace, name: 'held', body: { metadata: { name: 'held', finalizers: [] } } });
        await expect
          .poll(
            async () => {
              await life.services.sweep();
              return life.deps.store.get(namespaceKey(name));
            },
            { timeout: 60_000, interval: 500 },
          )
          .toBeUndefined();
      });
    });

    describe('an API server that is away', () => {
      it.skipIf(brief)('holds up no deadline', async () => {
        const session = await create();
        await life.services.sweep();
        await setDeadline(life, session.id, new Date(life.deps.clock.now().getTime() - 1000));
        isAway = true;
        const refused = life.services.sweep();
        await expect(refused).rejects.toBeInstanceOf(AppError);
        await expect(refused).rejects.toMatchObject({ code: 'cluster_unavailable' });
        await expect.poll(async () => (await life.services.getSession(alice, session.id)).status).toBe('terminating');
        isAway = false;
        await expect
          .poll(async () => (await life.services.getSession(alice, session.id)).status, { timeout: 60_000, interval: 200 })
          .toBe('terminated');
      });
    });

    describe('two passes at once', () => {
      it.skipIf(brief)('do the work once', async () => {
        const session = await create();
        await life.services.sweep();
        await deletePod(kubernetes, session);
        const reports = await Promise.all([life.services.sweep(), life.services.sweep()]);
        expect(reports.filter(({ skipped }) => skipped)).toHaveLength(1);
        expect(reports.map(({ actions }) => actions['pod_lost'] ?? 0).toSorted((left, right) => left - right)).toEqual([0, 1]);
        expect(await life.services.sweep()).toMatchObject({ skipped: false, actions: {} });
      });
    });

    describe('a cluster that has forgotten where the last pass ended', () => {
      it('is compared as a whole', async () => {
        await life.services.sweep();
        const stored = (await life.deps.store.get<CursorDocument>(cursorKey)) as StoredDocument<CursorDocument>;
        const versions = { ...stored.data.versions, pod: cluster.forgottenVersion };
        await life.deps.store.update(cursorKey, { ...stored.data, versions }, stored.version);
        expect(await life.services.sweep()).toMatchObject({ full: true });
        expect(await life.services.sweep()).toMatchObject({ full: false });
      });
    });

    describe('a claim', () => {
      const createWithVolume = async (preserve: boolean): Promise<{ session: SessionDocument; volume: VolumeDocument }> => {
        const request = { request_persistent_storage: true, persistent_storage_size_gb: 1, preserve_data: preserve };
        const { session } = await life.services.createSession(alice, request, wait);
        expect(session).toMatchObject({ status: 'running', reason: null });
        const stored = await life.deps.store.get<VolumeDocument>(volumeKey(session.spec.volumes[0]?.volume_id ?? ''));
        return { session, volume: (stored as StoredDocument<VolumeDocument>).data };
      };

      it.skipIf(brief)('whose document was lost gets one again while a session mounts it', async () => {
        const { session, volume } = await createWithVolume(false);
        // Whose create made it is nothing that the claim tells.
        const { made_by: _lost, ...told } = volume;
        await loseVolume(life, volume);
        expect((await life.services.sweep({ full: true })).actions).toMatchObject({ adopt_claim: 1 });
        const adopted = await life.deps.store.get<VolumeDocument>(volumeKey(volume.id));
        expect(adopted?.data).toMatchObject({
          ...told,
          retain: true,
          created_at: expect.any(String) as string,
          updated_at: expect.any(String) as string,
        });
        const holder = await life.deps.store.get<UserDocument>(userKey('alice'));
        expect(holder?.data.holds).toMatchObject({ [`volume-${volume.id}`]: { pvcs: 1, storage_gb: 1 } });
        await life.services.deleteSession(alice, session.id);
        await kubernetes.core.deleteNamespacedPersistentVolumeClaim({ name: volume.claim_name ?? '', namespace: volume.k8s_namespace });
      });

      it('that was deleted by hand is told of on its volume', async () => {
        const { session, volume } = await createWithVolume(true);
        await life.services.deleteSession(alice, session.id);
        await life.services.sweep();
        await kubernetes.core.deleteNamespacedPersistentVolumeClaim({ name: volume.claim_name ?? '', namespace: volume.k8s_namespace });
        await expect
          .poll(
            async () => {
              await life.services.sweep();
              return (await life.deps.store.get<VolumeDocument>(volumeKey(volume.id)))?.data;
            },
            { timeout: 60_000, interval: 500 },
          )
          .toMatchObject({ status: 'failed', reason: expect.stringMatching(/^claim_lost: /) as string });
      });
    });

    describe('a hold of nothing', () => {
      it.skipIf(brief)('is taken off its user', async () => {
        const session = await create();
        const key = userKey('alice');
        const stored = (await life.deps.store.get<UserDocument>(key)) as StoredDocument<UserDocument>;
        const holds = { ...stored.data.holds, 'session-nobody': { sessions: 1 } };
        await life.deps.store.update(key, { ...stored.data, holds }, stored.version);
        expect((await life.services.sweep({ full: true })).actions).toMatchObject({ repair_usage: 1 });
        expect(Object.keys((await life.deps.store.get<UserDocument>(key))?.data.holds ?? {})).toEqual([`session-${session.id}`]);
      });
    });
  });
}

async function deletePod({ core }: Kubernetes, session: SessionDocument): Promise<void> {
  const pod = { name: session.pod_name, namespace: session.k8s_namespace };
  await core.deleteNamespacedPod({ ...pod, gracePeriodSeconds: 0 });
  await expect
    .poll(
      () =>
        core.readNamespacedPod(pod).then(
          () => 'there',
          (error: unknown) => (isNotFound(error) ? 'gone' : String(error)),
        ),
      { timeout: 30_000 },
    )
    .toBe('gone');
}

/** As a store does that was restored from an older copy. */
async function loseVolume({ deps: { store } }: Life, volume: VolumeDocument): Promise<void> {
  const keys = [volumeKey(volume.id), userKey(volume.user), namespaceKey(volume.namespace)];
  await store.transact(keys, ([, user, namespace]) => {
    const holder = user?.data as UserDocument | undefined;
    const { [`volume-${volume.id}`]: _lost, ...holds } = holder?.holds ?? {};
    const [lost, owner, home] = keys as [DocumentKey, DocumentKey, DocumentKey];
    const writes: Write[] = [
      { type: 'delete', key: lost },
      { type: 'set', key: owner, data: { ...holder, holds } },
      { type: 'set', key: home, data: { ...namespace?.data, volumes: {} } },
    ];
    return { writes, result: undefined };
  });
}

/** Without laying its task, as if that had been lost. */
async function setDeadline(life: Life, id: string, at: Date): Promise<void> {
  const key = { collection: 'sessions', id };
  const stored = (await life.deps.store.get<SessionDocument>(key)) as StoredDocument<SessionDocument>;
  const time = at.toISOString();
  await life.deps.store.update(key, { ...stored.data, expires_at: time, due_at: time }, stored.version);
}
