/**
 * What has to be true when the weather has cleared: after two sweeps nothing is left over; deadlines are kept by the sweep alone; and when
 * everybody has gone, so has everything.
 */
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { labels } from '../../shared/pods/names.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import type { ClusterObject } from '../fakes/fake-cluster-kubernetes-objects.ts';
import { missingForeignObjects } from './foreign.ts';
import { presentVolumes } from './mirror.ts';
import { anchorName, isLive } from './rules.ts';
import { installation, LINGER_SECONDS, type World } from './world.ts';

const SECOND_MS = 1000;
const SWEEP_MS = 60 * SECOND_MS;
/** Longer than the grace period of orphans, than a pod that will not go, and than every retry that is still to come. */
const SETTLED_MS = 6 * 60 * SECOND_MS;
/** What a sweep has found due is done by tasks within moments. */
const TASKS_MS = 20 * SECOND_MS;

export async function sweepOnce(world: World, forMs: number): Promise<void> {
  const begun = world.services().sweep();
  begun.catch((error: unknown) => world.ledger.broken('a sweep in good weather succeeds', String(error)));
  await world.clock.advance(forMs);
}

/** No orphan after two sweeps, and everything that was begun is finished. */
export async function judgeAfterTwoSweeps(world: World): Promise<void> {
  world.clearUp();
  world.queue.loseAll();
  // Whoever is still at it, e.g. a request of nine minutes, is gone as well: sweeps alone have to put everything right.
  world.die();
  await world.clock.advance(SETTLED_MS);
  await sweepOnce(world, SWEEP_MS);
  await sweepOnce(world, SWEEP_MS);
  judgeSessions(world);
  judgeObjects(world);
}

function judgeSessions({ mirror, objects, ledger, deps }: World): void {
  const now = deps.clock.now().getTime();
  for (const session of mirror.sessions.values()) {
    const { id, status } = session;
    if (isEnding(session) && !isUnderWay(session, now)) ledger.broken('what was begun is finished after two sweeps', `${id} is ${status}`);
    if (status === 'stopped' && session.restarts)
      ledger.broken('what was begun is finished after two sweeps', `${id} does not start again`);
    if (status === 'creating' && Date.parse(session.start_deadline) < now - 2 * SWEEP_MS) {
      ledger.broken('what was begun is finished after two sweeps', `${id} is creating since ${session.updated_at}`);
    }
    if (status === 'running' && !hasItsPod(session, objects.list('Pod'))) {
      ledger.broken('a lost pod is noticed within two sweeps', `${id} runs without its pod ${session.pod_uid}`);
    }
  }
}

function isEnding({ status }: SessionDocument): boolean {
  return status === 'terminating' || status === 'stopping';
}

/** It began after the last sweep. */
function isUnderWay({ updated_at: since }: SessionDocument, now: number): boolean {
  return Date.parse(since) > now - SWEEP_MS;
}

/** A crash loop is noticed with the pod's next restart, which may take five minutes; the comparison of everything does not see it. */
function hasItsPod(session: SessionDocument, pods: readonly ClusterObject[]): boolean {
  const pod = pods.find(({ metadata }) => metadata.uid === session.pod_uid);
  return pod !== undefined && pod.metadata.deletionTimestamp === undefined && (pod as V1Pod).status?.phase !== 'Failed';
}

/** Everything in the cluster with our label belongs to something. */
function judgeObjects(world: World): void {
  const { ledger } = world;
  for (const orphan of orphans(world)) ledger.broken('no orphan after two sweeps', orphan);
  for (const missing of missingForeignObjects(world.objects)) ledger.broken('nothing is touched but what is our own', `${missing} is gone`);
}

function orphans({ mirror, objects, deps }: World): readonly string[] {
  const now = deps.clock.now().getTime();
  const labelled = (kind: string): readonly ClusterObject[] =>
    objects.list(kind).filter(({ metadata }) => metadata.labels?.[labels.installation] === installation);
  const sessionOf = (object: KubernetesObject): SessionDocument | undefined =>
    mirror.sessions.get(object.metadata?.labels?.[labels.session] ?? '');
  const mayHavePod = (session: SessionDocument | undefined): boolean =>
    session?.status === 'creating' ||
    session?.status === 'running' ||
    (session !== undefined && isEnding(session) && isUnderWay(session, now));
  const withSecret = new Set(['creating', 'running', 'stopping', 'stopped', 'failed']);
  const namespaces = new Set([...mirror.namespaces.values()].map(({ k8s_namespace: name }) => name));
  const claims = new Set(presentVolumes(mirror).map(({ k8s_namespace: namespace, claim_name: name }) => `${namespace}/${name ?? ''}`));
  const isOrphan: Readonly<Record<string, (object: ClusterObject) => boolean>> = {
    Pod: (pod) => !mayHavePod(sessionOf(pod)),
    Secret: (secret) => !withSecret.has(sessionOf(secret)?.status ?? '') && !mayHavePod(sessionOf(secret)),
    PersistentVolumeClaim: (claim) => !claims.has(`${claim.metadata.namespace ?? ''}/${claim.metadata.name}`),
    Namespace: (namespace) => !namespaces.has(namespace.metadata.name),
    NetworkPolicy: (policy) => !namespaces.has(policy.metadata.namespace ?? ''),
  };
  return Object.entries(isOrphan).flatMap(([kind, judge]) =>
    labelled(kind)
      .filter(judge)
      .map((object) => `${kind} ${object.metadata.name} (session ${sessionOf(object)?.status ?? 'unknown'})`),
  );
}

/** With every task lost, each minute's sweep alone: nobody is past their deadline for longer than from one sweep to the next. */
export async function judgeDeadlines(world: World, sweeps: number): Promise<void> {
  const { clock, queue } = world;
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    queue.loseAll();
    const due = overdue(world);
    await sweepOnce(world, TASKS_MS);
    for (const session of overdue(world)) {
      if (due.some(({ id }) => id === session.id)) {
        world.ledger.broken(
          'no deadline is passed by more than one sweep',
          `${session.id} (${session.status}) had until ${session.expires_at}`,
        );
      }
    }
    await clock.advance(SWEEP_MS - TASKS_MS);
  }
}

/** Sessions that their deadline should have ended, or stopped. */
function overdue({ mirror, deps }: World): readonly SessionDocument[] {
  const now = deps.clock.now().getTime();
  return [...mirror.sessions.values()].filter((session) => {
    if (Date.parse(session.expires_at) > now) return false;
    return anchorName(session) === undefined ? isLive(session) : session.status === 'running';
  });
}

/** Their owners delete all sessions: what stays is what was asked to stay. */
export async function judgeEmptiness(world: World): Promise<void> {
  const { mirror, ledger, objects } = world;
  for (const session of mirror.sessions.values()) {
    if (isLive(session)) {
      const caller = { keyId: 'k', kind: 'user', user: session.user, requestId: 'end' } as const;
      world
        .services()
        .deleteSession(caller, session.id)
        .catch((error: unknown) => ledger.broken('in good weather, what is deleted ends', String(error)));
    }
  }
  await world.clock.advance(SWEEP_MS + LINGER_SECONDS * SECOND_MS);
  // A volume may go with one sweep, its namespace lingers, is released with another and forgotten with the next.
  for (let sweeps = 0; sweeps < 5 && (sweeps < 2 || unneededNamespaces(world).length > 0); sweeps += 1) await sweepOnce(world, SWEEP_MS);
  judgeObjects(world);
  for (const session of mirror.sessions.values()) {
    if (session.status !== 'terminated') ledger.broken('in good weather, what is deleted ends', `${session.id} is ${session.status}`);
  }
  const kept = presentVolumes(mirror);
  for (const volume of kept) {
    if (!volume.retain) ledger.broken('a volume goes with its last session', `${volume.name} (${volume.status}) is still there`);
    if (objects.find('PersistentVolumeClaim', volume.k8s_namespace, volume.claim_name ?? '') === undefined && volume.status === 'ready') {
      ledger.broken('data stays while its document says so', `the claim of ${volume.name} is gone`);
    }
  }
  for (const namespace of unneededNamespaces(world)) {
    ledger.broken('a namespace goes with what is in it', `${namespace} is still there`);
  }
  if (mirror.anchors.size > 0) ledger.broken('a project is known by its session', `${mirror.anchors.size} are written down`);
}

/** Those without a volume in them, when there is no session any more. */
function unneededNamespaces({ mirror }: World): readonly string[] {
  const needed = new Set(presentVolumes(mirror).map(({ namespace }) => namespace));
  return [...mirror.namespaces.keys()].filter((namespace) => !needed.has(namespace));
}
