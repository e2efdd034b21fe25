/**
 * How each act is done. What it asks of Berth may fail as it likes: the rules judge what comes of it, not the answers.
 */
import type { Caller } from '../../shared/auth/caller.ts';
import { labels } from '../../shared/pods/names.ts';
import { changeSession } from '../../shared/sessions/change.ts';
import type { ChangeEvent } from '../../shared/sessions/lifecycle.ts';
import type { SessionDocument, SessionStatus } from '../../shared/sessions/model.ts';
import { befallPod, isSound, podMishaps, type PodMishap } from '../fakes/fake-cluster-kubernetes-node.ts';
import { createRequest, projectOf } from './requests.ts';
import { installation, users, type World } from './world.ts';

export interface ActParameters {
  readonly session: SessionDocument | undefined;
  readonly pick: number;
  readonly how: number;
}

/** `false` where there was nothing to do it to. */
type Do = (world: World, parameters: ActParameters) => boolean | Promise<boolean>;

const SECOND = 1000;
const MINUTE = 60_000;

/** Begins the call and watches it no further. */
function ask(call: () => Promise<unknown>): true {
  call().catch(() => undefined);
  return true;
}

function callerOf(user: string): Caller {
  return { keyId: `key-${user}`, kind: 'user', user, requestId: 'request' };
}

function someUser(pick: number): string {
  return users[pick % users.length]?.user ?? '';
}

const waits = [0, 2, 30, 100] as const;

function waitSeconds(how: number): number {
  return waits[how % waits.length] ?? 0;
}

/** For acts on a session that is there. */
function onSession(act: (world: World, session: SessionDocument, parameters: ActParameters) => boolean | Promise<boolean>): Do {
  return (world, parameters) => (parameters.session === undefined ? false : act(world, parameters.session, parameters));
}

function podOf({ objects }: World, session: SessionDocument) {
  const pod = objects.find('Pod', session.k8s_namespace, session.pod_name);
  return isSound(pod) ? pod : undefined;
}

function kill(world: World, session: SessionDocument, mishap: PodMishap): boolean {
  const pod = podOf(world, session);
  if (pod === undefined || session.status !== 'running') return false;
  befallPod(world.clock, world.objects, pod, mishap);
  world.ledger.event(`pod ${mishap}`);
  return true;
}

const create: Do = (world, { pick, how }) => {
  const user = someUser(pick);
  return ask(() => world.services().createSession(callerOf(user), createRequest(how), { waitSeconds: waitSeconds(how) }));
};

/** The same request under one Idempotency-Key, at once. */
const createTwice: Do = (world, { pick, how }) => {
  const user = someUser(pick);
  const key = `${user}-${pick % 5}`;
  const request = { ...createRequest(0), labels: { once: key } };
  const options = { waitSeconds: waitSeconds(how), idempotencyKey: key };
  for (let time = 0; time < 2; time += 1) ask(() => world.services().createSession(callerOf(user), request, options));
  return true;
};

const project: Do = (world, { pick, how }) => {
  const options = { waitSeconds: waitSeconds(how), recreate: how % 11 === 0 };
  for (let time = 0; time <= how % 3; time += 1) {
    ask(() => world.services().ensureAnchored(callerOf(someUser(pick)), projectOf(pick), createRequest(how, true), options));
  }
  return true;
};

/** Sweeps run meanwhile, as each minute. */
async function passUntil(world: World, time: number): Promise<void> {
  await world.clock.advance(Math.min(12 * MINUTE, Math.max(0, time - world.deps.clock.now().getTime())));
}

const atDeadline = onSession(async (world, session, { how }) => {
  await passUntil(world, Date.parse(session.expires_at) - 300 - (how % 3) * 700);
  const services = world.services();
  const caller = callerOf(session.user);
  const what = [
    () => services.stopSession(caller, session.id, { waitSeconds: 30 }),
    () => services.restartSession(caller, session.id, { waitSeconds: 30 }),
    () => services.startSession(caller, session.id, { waitSeconds: 30 }),
    () => services.updateSession(caller, session.id, { ttl_minutes: 1 + (how % 9) }),
    () => services.stopSession(caller, session.id, { waitSeconds: 0 }),
  ];
  return ask(what[how % what.length] ?? (() => Promise.resolve()));
});

const orphanByHand: Do = ({ objects, ledger, mirror }, { pick, how }) => {
  const namespaces = objects.list('Namespace').filter(({ metadata }) => metadata.labels?.[labels.installation] === installation);
  const home = namespaces[pick % Math.max(1, namespaces.length)];
  const name = `by-hand-${objects.version}`;
  const metadata = { name, labels: { [labels.installation]: installation, [labels.session]: name } };
  if (how % 4 === 0 || home === undefined) {
    objects.create('Namespace', undefined, { metadata: { ...metadata, name: `berth-${name}` } });
    ledger.event('orphaned namespace');
    return true;
  }
  if (home.metadata.deletionTimestamp !== undefined) return false;
  const kind = how % 4 === 1 ? 'PersistentVolumeClaim' : 'Pod';
  objects.create(kind, home.metadata.name, { metadata });
  ledger.event(`orphaned ${kind === 'Pod' ? 'pod' : 'claim'}`);
  return mirror.users.size > 0;
};

/** An administrator lowers, or restores, what a user may have. */
const lowerLimits: Do = ({ deps, mirror }, { pick, how }) => {
  const user = [...mirror.users.values()][pick % 2];
  if (user === undefined) return false;
  const key = { collection: 'users', id: user.user };
  const limits = { ...users.find((given) => given.user === user.user)?.limits, ...(how % 2 === 0 ? { sessions: 1, pvcs: 1 } : {}) };
  return ask(() =>
    deps.store.transact([key], ([stored]) => ({
      writes: stored === undefined ? [] : [{ type: 'set', key, data: { ...stored.data, limits } }],
      result: undefined,
    })),
  );
};

/** Their owner has begun others meanwhile, so there may be no room for it any more. */
const startBesideOthers = onSession(async (world, session, { how }) => {
  const caller = callerOf(session.user);
  const limit = users.find(({ user }) => user === session.user)?.limits.sessions ?? 0;
  for (let time = 0; time < limit; time += 1)
    ask(() => world.services().createSession(caller, createRequest(17 + (how % 2)), { waitSeconds: 30 }));
  await world.clock.advance(2 * SECOND);
  return ask(() => world.services().startSession(caller, session.id, { waitSeconds: 30 }));
});

const deleteWhileStopping = onSession(async (world, session, { how }) => {
  const caller = callerOf(session.user);
  ask(() => world.services().stopSession(caller, session.id, { waitSeconds: 30 }));
  await world.clock.advance(50 + (how % 200));
  return ask(() => world.services().deleteSession(caller, session.id));
});

/** Somebody who was held up for long says what he saw of an earlier pod of the session. */
const lateWord = onSession((world, session) => {
  const { deps, objects } = world;
  const earlier = objects.log.find(({ kind, object }) => kind === 'Pod' && object.metadata.name === session.pod_name)?.object.metadata.uid;
  if (earlier === undefined || earlier === session.pod_uid || session.generation === 1) return false;
  const words: Readonly<Partial<Record<SessionStatus, ChangeEvent>>> = {
    creating: { type: 'pod_ready', podUid: earlier, nodeName: null, channel: 'exec', generation: 1 },
    stopping: { type: 'pod_gone', podUid: earlier },
  };
  const lost: ChangeEvent = { type: 'pod_lost', podUid: earlier, reason: 'the pod is gone' };
  return ask(() => changeSession(deps, session.id, words[session.status] ?? lost));
});

export const acts = {
  create,
  'create twice': createTwice,
  project,
  delete: onSession((world, session, { how }) =>
    ask(() => world.services().deleteSession(callerOf(session.user), session.id, how % 3 === 0 ? { preserveData: how % 2 === 0 } : {})),
  ),
  'delete project': (world, { pick, how }) =>
    ask(() => world.services().deleteAnchored(callerOf(someUser(pick)), projectOf(pick), how % 2 === 0 ? {} : { preserveData: false })),
  'delete while stopping': deleteWhileStopping,
  'start beside others': startBesideOthers,
  'late word of an earlier pod': lateWord,
  stop: onSession((world, session, { how }) =>
    ask(() => world.services().stopSession(callerOf(session.user), session.id, { waitSeconds: waitSeconds(how) })),
  ),
  start: onSession((world, session, { how }) =>
    ask(() => world.services().startSession(callerOf(session.user), session.id, { waitSeconds: waitSeconds(how) })),
  ),
  restart: onSession((world, session, { how }) =>
    ask(() => world.services().restartSession(callerOf(session.user), session.id, { waitSeconds: waitSeconds(how) })),
  ),
  extend: onSession((world, session, { how }) =>
    ask(() =>
      world.services().updateSession(callerOf(session.user), session.id, {
        ttl_minutes: 1 + (how % 20),
        ...(how % 3 === 0 ? { idle_timeout_minutes: how % 2 === 0 ? null : 1 + (how % 3) } : {}),
      }),
    ),
  ),
  use: onSession((world, session) =>
    ask(() => world.services().execute(callerOf(session.user), session.id, { command: 'true' }, new AbortController().signal)),
  ),
  compute: onSession(async (world, session, { how }) => {
    if (session.pod_uid === null) return false;
    world.setBusy(session.pod_uid, how % 4 !== 0);
    if (session.idle_timeout_minutes !== null) await world.clock.advance((session.idle_timeout_minutes + 1) * MINUTE);
    return true;
  }),
  'kill a pod': onSession((world, session, { how }) => kill(world, session, podMishaps[how % podMishaps.length] ?? 'evicted')),
  'kill again and again': onSession(async (world, session, { how }) => {
    let killed = false;
    for (let time = 0; time < 4; time += 1) {
      const present = world.mirror.sessions.get(session.id) ?? session;
      killed = kill(world, present, how % 2 === 0 ? 'evicted' : 'deleted by hand') || killed;
      await world.clock.advance(70 * SECOND);
    }
    return killed;
  }),
  'wait for a deadline': onSession(async (world, session) => {
    await passUntil(world, Date.parse(session.expires_at) + SECOND);
    return true;
  }),
  'act at a deadline': atDeadline,
  'wait until idle': onSession(async (world, session) => {
    if (session.idle_timeout_minutes === null) return false;
    await passUntil(world, world.deps.clock.now().getTime() + (session.idle_timeout_minutes + 1) * MINUTE);
    return true;
  }),
  'die in the middle': (world) => {
    world.die();
    return true;
  },
  'API server away': (world, { how }) => {
    world.takeApiAway((how % 180) * SECOND);
    return true;
  },
  'sweep twice at once': (world) => {
    ask(() => world.services().sweep());
    return ask(() => world.services().sweep());
  },
  'orphan by hand': orphanByHand,
  'lower limits': lowerLimits,
  'delete a volume': (world, { pick }) => {
    const volumes = [...world.mirror.volumes.values()];
    const volume = volumes[pick % Math.max(1, volumes.length)];
    if (volume === undefined) return false;
    world.giveUp(volume.id);
    return ask(() => world.services().deleteVolume(callerOf(volume.user), volume.id));
  },
} as const satisfies Readonly<Record<string, Do>>;

export type Act = keyof typeof acts;
