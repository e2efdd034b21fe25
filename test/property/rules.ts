/**
 * What has to be true after every single write to the store.
 */
import { labels } from '../../shared/pods/names.ts';
import type { Hold, UserDocument } from '../../shared/entitlements/model.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import type { FakeClock } from '../fakes/fake-clock.ts';
import { isSound } from '../fakes/fake-cluster-kubernetes-node.ts';
import type { ClusterObject, ClusterObjects } from '../fakes/fake-cluster-kubernetes-objects.ts';
import type { Commit } from '../fakes/faulty-store.ts';
import { edgeOf, holding } from './edges.ts';
import type { Ledger } from './ledger.ts';
import { presentVolumes, type Mirror } from './mirror.ts';

export interface RulesContext {
  readonly mirror: Mirror;
  readonly objects: ClusterObjects;
  readonly ledger: Ledger;
  readonly clock: FakeClock;
  /** As Berth sees the time. */
  readonly now: () => Date;
  /** When somebody last used the session, in milliseconds since 1970, as the world knows it. */
  readonly usedAt: (session: SessionDocument) => number;
  /** Ids of the volumes that their owners have asked to delete. */
  readonly givenUp: ReadonlySet<string>;
}

/** Called after the mirror has taken the commits in. */
export function judgeCommits(context: RulesContext, commits: readonly Commit[]): void {
  for (const { key, before, after } of commits) {
    if (key.collection === 'sessions' && after !== undefined) {
      judgeSession(context, before as SessionDocument | undefined, after as SessionDocument);
    }
    if (key.collection === 'volumes' && after !== undefined) {
      judgeVolume(context, before as VolumeDocument | undefined, after as VolumeDocument);
    }
    if (key.collection === 'users' && after !== undefined) {
      judgeLimits(context, before as UserDocument | undefined, after as UserDocument);
    }
  }
  const hasChanged = (...collections: readonly string[]): boolean => commits.some(({ key }) => collections.includes(key.collection));
  if (hasChanged('users', 'sessions', 'volumes')) judgeUsage(context);
  if (hasChanged('anchors', 'sessions')) judgeUniqueness(context);
  if (hasChanged('namespaces', 'sessions', 'volumes')) judgeNamespaces(context);
}

function judgeSession(context: RulesContext, before: SessionDocument | undefined, after: SessionDocument): void {
  const { ledger } = context;
  const taken = edgeOf(before, after, context.now());
  if (taken === undefined) return;
  ledger.edge(taken.edge);
  ledger.tell(() => `  ${after.id} ${taken.edge} (generation ${after.generation}, by ${after.last_change.by})`);
  if (!taken.isAllowed) ledger.broken('states change only along the table', `${after.id}: ${taken.edge}`);
  if (before === undefined) return;
  judgeGeneration(context, before, after);
  judgeEnd(context, after, taken.edge);
  judgePod(context, before, after);
  if (before.status === 'running' && after.status === 'creating') judgeRebuild(context, after);
}

function judgeGeneration({ ledger }: RulesContext, before: SessionDocument, after: SessionDocument): void {
  const steps = after.generation - before.generation;
  if (steps !== (after.status === 'creating' ? 1 : 0)) {
    ledger.broken(
      'each pod is a generation',
      `${after.id}: ${before.status} -> ${after.status}, ${before.generation} -> ${after.generation}`,
    );
  }
}

const MINUTE_MS = 60_000;

/** Nobody's session ends, or stops, by itself before its time. */
function judgeEnd(context: RulesContext, after: SessionDocument, edge: string): void {
  const { ledger } = context;
  const { by, request_id: request } = after.last_change;
  const now = context.now().getTime();
  // A create that could not be done is undone in the name of its request.
  if (after.status === 'terminating' && by === 'system' && request === null && Date.parse(after.expires_at) > now) {
    ledger.broken('no session ends before its deadline', `${after.id} has until ${after.expires_at}`);
  }
  if (edge.endsWith('-> terminating: deadline') && anchorName(after) !== undefined) {
    ledger.broken('only a delete ends the session of a project', after.id);
  }
  if (edge !== 'running -> stopping: idle') return;
  const idleMs = (after.idle_timeout_minutes ?? Infinity) * MINUTE_MS;
  // Activity is written down once a minute at most.
  if (now - context.usedAt(after) < idleMs - MINUTE_MS) {
    ledger.broken('no session that is used stops for being idle', `${after.id}, used ${now - context.usedAt(after)} ms ago`);
  }
}

/** A pod is made again where that brings the work back, and not for ever. */
function judgeRebuild({ ledger, now }: RulesContext, after: SessionDocument): void {
  if (!after.spec.volumes.some(({ mount_path: path }) => path === '/workspace')) {
    ledger.broken('a session whose workspace is lost has failed', after.id);
  }
  const recent = after.pod_losses.filter((at) => now().getTime() - Date.parse(at) < 10 * MINUTE_MS);
  if (recent.length >= 3) ledger.broken('a session that loses its pod three times in ten minutes has failed', after.id);
}

function judgePod(context: RulesContext, before: SessionDocument, after: SessionDocument): void {
  const { objects, ledger } = context;
  const pod = objects.find('Pod', after.k8s_namespace, after.pod_name);
  const isLost = before.status === 'running' && (after.status === 'failed' || after.status === 'creating');
  if (isLost && pod?.metadata.uid === before.pod_uid && isSound(pod)) {
    ledger.broken('only a lost pod is given up', `${after.id}: ${after.reason ?? ''}`);
  }
  if (after.status === 'running' && after.generation !== generationOf(objects, after.pod_uid)) {
    ledger.broken('a session runs in the pod of its generation', `${after.id}: ${after.generation} in ${after.pod_uid ?? 'none'}`);
  }
  if (after.status !== 'terminated' && after.status !== 'stopped') return;
  const isTheOne = after.status === 'terminated' || pod?.metadata.uid === before.pod_uid;
  if (isTheOne && wasThereBefore(context, pod, before.updated_at)) {
    ledger.broken('an end is said when the pod is gone', `${after.id} is ${after.status}`);
  }
}

/**
 * Whether the object was there when its end began. What a late create makes meanwhile is the sweep's. The cluster's clock may be another
 * than Berth's, and counts whole seconds.
 */
function wasThereBefore({ now, clock }: RulesContext, object: ClusterObject | undefined, endBegan: string): boolean {
  if (object === undefined) return false;
  const skewMs = now().getTime() - clock.ms;
  return Date.parse(String(object.metadata.creationTimestamp)) < Date.parse(endBegan) - skewMs - 1000;
}

function generationOf(objects: ClusterObjects, uid: string | null): number {
  const entry = objects.log.find(({ kind, object }) => kind === 'Pod' && object.metadata.uid === uid);
  return Number(entry?.object.metadata.labels?.[labels.generation]);
}

/** At admission, and only then: a user whose limits are lowered keeps what runs. */
function judgeLimits({ ledger }: RulesContext, before: UserDocument | undefined, after: UserDocument): void {
  const isNew = Object.keys(after.holds).some((id) => before?.holds[id] === undefined);
  if (!isNew) return;
  for (const limit of ['sessions', 'pvcs', 'storage_gb'] as const) {
    const added = Object.entries(after.holds).some(([id, hold]) => before?.holds[id] === undefined && (hold[limit] ?? 0) > 0);
    const used = Object.values(after.holds).reduce((sum, hold) => sum + (hold[limit] ?? 0), 0);
    const allowed = after.limits[limit];
    if (added && allowed !== undefined && used > allowed) {
      ledger.broken('nobody is admitted over their limits', `${after.user} has ${used} of ${allowed} ${limit}`);
    }
  }
}

/** Usage is the sum of the holds; they name exactly what exists. */
function judgeUsage({ mirror, ledger }: RulesContext): void {
  const expected = new Map<string, string>();
  // What ended at rest has nothing any more; whether it counts in the moments until that is written down does not matter.
  const mayBeHeld = new Set<string>();
  for (const { id, status, user } of mirror.sessions.values()) {
    if (!holding.has(status)) continue;
    if (status === 'terminating' && mirror.endedAtRest.has(id)) mayBeHeld.add(`session-${id}`);
    else expected.set(`session-${id}`, user);
  }
  for (const volume of presentVolumes(mirror)) expected.set(`volume-${volume.id}`, volume.user);
  for (const user of mirror.users.values()) {
    for (const [id, hold] of Object.entries(user.holds)) {
      if (mayBeHeld.has(id)) continue;
      if (expected.get(id) !== user.user) ledger.broken('usage is what exists', `${id} is held by ${user.user} and does not exist`);
      if (isEmpty(hold)) ledger.broken('usage is what exists', `${id} counts nothing`);
      expected.delete(id);
    }
  }
  for (const [id, user] of expected) ledger.broken('usage is what exists', `${id} of ${user} exists and is not held`);
}

function isEmpty(hold: Hold): boolean {
  return !Object.values(hold).some((amount) => amount > 0);
}

export function anchorName(session: SessionDocument): string | undefined {
  if (session.project_id !== null) return `project ${session.project_id}`;
  return session.conversation_id === null ? undefined : `conversation ${session.conversation_id}`;
}

export function isLive(session: SessionDocument): boolean {
  return session.status !== 'terminating' && session.status !== 'terminated';
}

/** One session for each project and conversation, and for each Idempotency-Key (the label `once` of this test). */
function judgeUniqueness({ mirror, ledger }: RulesContext): void {
  const owners = new Map<string, string>();
  const named = new Set([...mirror.anchors.values()].map(({ session_id: id }) => id));
  for (const session of mirror.sessions.values()) {
    const { id } = session;
    const anchor = anchorName(session);
    const isKnown = named.delete(id);
    if (isKnown !== (isLive(session) && anchor !== undefined)) {
      ledger.broken(
        'a project is known by its session',
        `${id} is ${session.status} and ${isKnown ? 'known' : 'not known'} as that of ${anchor}`,
      );
    }
    for (const name of isLive(session) ? [anchor, session.labels['once']] : []) {
      if (name === undefined) continue;
      const other = owners.get(name);
      if (other !== undefined) ledger.broken('a project, and a key, has one session', `${name} has ${other} and ${id}`);
      owners.set(name, id);
    }
  }
  for (const id of named) ledger.broken('a project is known by its session', `${id} is known as one's session and does not exist`);
}

/** A namespace knows what lies in it: by that it stays, or goes. */
function judgeNamespaces({ mirror, ledger }: RulesContext): void {
  for (const { id, status, namespace } of mirror.sessions.values()) {
    if (!['creating', 'running', 'stopping'].includes(status) || mirror.namespaces.get(namespace)?.sessions[id] === true) continue;
    ledger.broken('a namespace knows what is in it', `session ${id} (${status}) is not known in ${namespace}`);
  }
  for (const { id, name, namespace } of presentVolumes(mirror)) {
    if (mirror.namespaces.get(namespace)?.volumes?.[id] === true) continue;
    ledger.broken('a namespace knows what is in it', `volume ${name} is not known in ${namespace}`);
  }
}

function judgeVolume(context: RulesContext, before: VolumeDocument | undefined, after: VolumeDocument): void {
  const { ledger, objects, givenUp } = context;
  if (before === undefined || before.status === after.status) return;
  ledger.edge(`volume: ${before.status} -> ${after.status}`);
  if (after.status === 'deleting') {
    if (after.retain && !givenUp.has(after.id)) ledger.broken('a volume that is to stay stays', after.name);
    const users = Object.keys(after.sessions);
    if (users.length > 0) ledger.broken('a volume in use stays', `${after.name} is used by ${users.join(', ')}`);
  }
  const claim = objects.find('PersistentVolumeClaim', after.k8s_namespace, after.claim_name ?? '');
  if (after.status === 'deleted' && wasThereBefore(context, claim, before.updated_at)) {
    ledger.broken('a volume counts until its claim is gone', after.name);
  }
}
