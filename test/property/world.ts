/**
 * One Berth and everything around it, in memory: the real domains over a store, a queue, a cluster and helpers that fail as the weather
 * says, in time that passes only when told to.
 */
import { parseConfig, type Config } from '../../shared/config.ts';
import { createServices } from '../../shared/create-services.ts';
import type { Deps } from '../../shared/deps.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import type { Services } from '../../shared/http/services.ts';
import type { LogFields, Logger } from '../../shared/observability/logger.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import { labels } from '../../shared/pods/names.ts';
import { userKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import type { FakeClock } from '../fakes/fake-clock.ts';
import { createNetwork, seededChance, type Chance } from '../fakes/fake-clock-network.ts';
import { isSound, startNode, type PodFate } from '../fakes/fake-cluster-kubernetes-node.ts';
import { ClusterObjects } from '../fakes/fake-cluster-kubernetes-objects.ts';
import { createFakeKubernetes } from '../fakes/fake-cluster-kubernetes.ts';
import type { MemoryStore } from '../fakes/faulty-store-memory.ts';
import { createFaultyStore } from '../fakes/faulty-store.ts';
import { createFaultyHelpers } from './faulty-helpers.ts';
import { createFaultyQueue, type FaultyQueue } from './faulty-queue.ts';
import { putForeignObjects } from './foreign.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createMirror, type Mirror } from './mirror.ts';
import { judgeRemoval } from './removals.ts';
import { judgeCommits, type RulesContext } from './rules.ts';
import { calm, type Weather } from './weather.ts';

export const installation = 'property';
export const LINGER_SECONDS = 60;

/** Small limits, so that they are met. */
export const users: readonly UserDocument[] = [
  userWith('ann', { sessions: 2, pvcs: 2, storage_gb: 60, ttl_minutes: 40 }),
  userWith('bob', { sessions: 4, pvcs: 3, storage_gb: 100, ttl_minutes: 40 }),
];

function userWith(user: string, limits: UserDocument['limits']): UserDocument {
  return { user, type: 'pro', limits, holds: {}, created_at: '2026-03-01T00:00:00.000Z' };
}

export interface World {
  readonly clock: FakeClock;
  readonly chance: Chance;
  readonly objects: ClusterObjects;
  readonly mirror: Mirror;
  readonly ledger: Ledger;
  readonly queue: FaultyQueue;
  readonly deps: Deps;
  readonly config: Config;
  /** Of the process that lives now. */
  services(): Services;
  /** The process dies in the middle of whatever it does; the next one starts at once. */
  die(): void;
  /** The API server is away for so long. */
  takeApiAway(milliseconds: number): void;
  /** Something computes in the session's pod from now on, or no longer. */
  setBusy(podUid: string, isBusy: boolean): void;
  /** Its owner has asked to delete the volume. */
  giveUp(volumeId: string): void;
  /** From now on nothing goes wrong that has not gone wrong yet. */
  clearUp(): void;
}

/** What Berth logs belongs to the story. */
function storyLogger({ tell }: Ledger): Logger {
  const logger: Logger = {
    log: (level, message, fields) => tell(() => `    ${level} ${message} ${describe(fields)}`),
    with: () => logger,
  };
  return logger;
}

function describe(fields: LogFields = {}): string {
  const { error, ...rest } = fields;
  return `${JSON.stringify(rest)} ${error instanceof Error ? error.message : ''}`;
}

const uncounted: Metrics = {
  count: () => undefined,
  observe: () => undefined,
  render: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
};

const config = parseConfig({
  BERTH_NAMESPACE_LINGER_SECONDS: String(LINGER_SECONDS),
  BERTH_ORPHAN_GRACE_SECONDS: '120',
  BERTH_POD_CHANNEL: 'exec',
});

export interface WorldOptions {
  readonly clock: FakeClock;
  readonly memory: MemoryStore;
  readonly weather: Weather;
  readonly keepsStory: boolean;
}

export async function createWorld({ clock, memory, weather: given, keepsStory }: WorldOptions): Promise<World> {
  let weather = given;
  let isAway = false;
  const chance = seededChance(given.seed);
  const ledger = createLedger(() => clock.now(), keepsStory);
  const mirror = createMirror();
  const network = createNetwork({ clock, chance, slowness: () => weather.slowness });
  const objects = new ClusterObjects(clock, {
    podGone: (graceSeconds) => (chance() < weather.slowDeletions ? 1000 * graceSeconds * (1 + 5 * chance()) : 50 + chance() * 1500),
    namespaceGone: () => 200 + chance() * (chance() < weather.slowDeletions ? 120_000 : 3000),
    claimGone: () => 20 + chance() * 500,
  });
  startNode({ clock, objects, fate: () => fateOf(chance, weather), stepMs: () => 20 + chance() * 900 });
  objects.onChange(({ kind, type, object: { metadata } }) => {
    if (kind === 'Pod')
      ledger.tell(() => `  cluster: ${metadata.name} ${type} ${metadata.uid} generation ${metadata.labels?.[labels.generation] ?? '?'}`);
  });
  const now = (): Date => new Date(clock.ms + weather.skewSeconds * 1000);
  const busy = new Set<string>();
  const givenUp = new Set<string>();
  let unreachableAt = -Infinity;
  const rules: RulesContext = {
    mirror,
    objects,
    ledger,
    clock,
    now,
    givenUp,
    usedAt: (session) => {
      const pod = objects.find('Pod', session.k8s_namespace, session.pod_name);
      const computes = isSound(pod) && pod?.metadata.uid === session.pod_uid && busy.has(session.pod_uid ?? '');
      // A helper that could not be asked lately excuses Berth for not knowing.
      return computes && clock.ms - unreachableAt > OUT_OF_REACH_MS ? now().getTime() : lastUse(session, mirror);
    },
  };
  const removals = { ...rules, installation, orphanGraceMs: config.orphanGraceSeconds * 1000 };
  const store = createFaultyStore({
    inner: memory.store,
    network,
    chance,
    faults: () => ({ unavailable: weather.storeUnavailable, conflict: weather.storeConflict }),
    onCommit: (commits) => {
      for (const commit of commits) mirror.apply(commit);
      judgeCommits(rules, commits);
    },
    onFault: ledger.event,
  });
  const kubernetes = createFakeKubernetes({
    clock,
    objects,
    network,
    chance,
    faults: () => ({ before: weather.apiBefore, after: weather.apiAfter, away: isAway, gone: weather.watchGone }),
    onFault: ledger.event,
    onDelete: (kind, object) => judgeRemoval(removals, kind, object),
  });
  const queue = createFaultyQueue({
    clock,
    network,
    chance,
    faults: () => ({
      lost: weather.taskLost,
      duplicate: weather.taskDuplicate,
      late: weather.taskLate,
      unavailable: weather.queueUnavailable,
    }),
    deliver: (target, payload, signal) => services.runTask(target, payload, signal),
    onFault: ledger.event,
  });
  let ids = 0;
  const deps: Deps = {
    config,
    clock: { now },
    newId: () => {
      ids += 1;
      return `${String(ids).padStart(4, '0')}${'x'.repeat(22)}`;
    },
    store,
    queue,
    blobs: noBlobs(),
    buckets: undefined,
    kubernetes: () => Promise.resolve(kubernetes),
    helpers: createFaultyHelpers({
      clock,
      network,
      objects,
      isBusy: (uid) => busy.has(uid),
      isAway: () => isAway,
      onCommand: () => ledger.event('command in a pod'),
    }),
    log: storyLogger(ledger),
    metrics: uncounted,
    installation,
    installationKey: Buffer.alloc(32, 7),
    previousInstallationKey: undefined,
    clusterWarnings: [],
  };
  let services = createServices(deps);
  for (const user of users) {
    const key = userKey(user.user);
    await memory.store.create(key, user);
    mirror.apply({ key, before: undefined, after: user });
  }
  putForeignObjects(objects);
  return {
    clock,
    chance,
    objects,
    mirror,
    ledger,
    queue,
    deps,
    config,
    services: () => services,
    die: () => {
      clock.endLife();
      services = createServices(deps);
    },
    takeApiAway: (milliseconds) => {
      isAway = true;
      unreachableAt = clock.ms + milliseconds;
      clock.after(milliseconds, () => {
        isAway = false;
      });
    },
    setBusy: (uid, isBusy) => {
      if (isBusy) busy.add(uid);
      else busy.delete(uid);
    },
    giveUp: (id) => void givenUp.add(id),
    clearUp: () => {
      isAway = false;
      weather = { ...calm, seed: given.seed, skewSeconds: given.skewSeconds };
    },
  };
}

function fateOf(chance: Chance, { badPods }: Weather): PodFate {
  if (chance() >= badPods) return 'ready';
  const roll = chance();
  if (roll < 0.3) return 'bad image';
  return roll < 0.6 ? 'no node' : 'never ready';
}

const OUT_OF_REACH_MS = 10 * 60_000;

/** In milliseconds since 1970, as it was written down. */
function lastUse(session: SessionDocument, mirror: Mirror): number {
  const noted = mirror.activity.get(session.id)?.at ?? session.created_at;
  return Math.max(Date.parse(noted), Date.parse(session.started_at ?? session.created_at));
}

/** Nothing that this test does writes a blob. */
function noBlobs(): Deps['blobs'] {
  return new Proxy({} as Deps['blobs'], {
    get: (_target, name) => () => Promise.reject(new Error(`no blobs in this test: ${String(name)}`)),
  });
}
