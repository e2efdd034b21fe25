/**
 * Broken copies of the rules of the life cycle: one place changed each. The property has to notice every one of them.
 */
export interface Mutation {
  readonly name: string;
  /** With which it shows within a few lives; with any other it takes up to a thousand. */
  readonly seed?: number;
  /** From the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const states: readonly Mutation[] = [
  {
    name: 'a session stops without its pod having gone',
    file: 'shared/sessions/lifecycle.ts',
    from: `return { status: 'stopping', message: 'The session stops' };`,
    to: `return { status: 'stopped', message: 'The session stops' };`,
  },
  {
    name: 'a session that ends can be started again',
    seed: 8,
    file: 'shared/sessions/lifecycle.ts',
    from: `if (event.type === 'start' || event.type === 'restart') return 'refused';\n  if (event.type === 'stop') return event.cause`,
    to: `if (event.type === 'start') return startedAgain(session, '', now);\n  if (event.type === 'stop') return event.cause`,
  },
  {
    name: 'a deadline that was put off ends the session all the same',
    file: 'shared/sessions/lifecycle.ts',
    from: `if (Date.parse(session.expires_at) > now.getTime()) return undefined;`,
    to: ``,
  },
  {
    name: 'the session of a project ends at its deadline',
    file: 'shared/sessions/lifecycle.ts',
    from: `if (isAnchored(session)) {`,
    to: `if (session.id === '') {`,
  },
  {
    name: 'the loss of an earlier pod counts as that of the present one',
    seed: 9,
    file: 'shared/sessions/lifecycle.ts',
    from: `return event.podUid === session.pod_uid ? lostPod(session, event.reason, now) : undefined;`,
    to: `return lostPod(session, event.reason, now);`,
  },
  {
    name: 'the start of an earlier pod counts as that of the present one',
    seed: 6,
    file: 'shared/sessions/lifecycle.ts',
    from: `if ('generation' in event && event.generation !== undefined && event.generation !== session.generation) return undefined;`,
    to: ``,
  },
  {
    name: 'a restart forgets to start again',
    seed: 6,
    file: 'shared/sessions/lifecycle.ts',
    from: `if (session.restarts) return startedAgain(`,
    to: `if (session.id === '') return startedAgain(`,
  },
  {
    name: 'the next pod has the generation of the one before',
    file: 'shared/sessions/next-pod.ts',
    from: `generation: session.generation + 1,`,
    to: `generation: session.generation,`,
  },
  {
    name: 'a pod that is lost again and again is made for ever',
    file: 'shared/sessions/next-pod.ts',
    from: `if (losses.length >= POD_LOSSES_ALLOWED) {`,
    to: `if (losses.length > 1000) {`,
  },
  {
    name: 'a session is rebuilt although its workspace is lost',
    seed: 11,
    file: 'shared/sessions/next-pod.ts',
    from: `if (!workspaceSurvivesPod(session)) {`,
    to: `if (session.id === '') {`,
  },
  {
    name: 'what computes counts as idle',
    seed: 17,
    file: 'shared/sessions/idle.ts',
    from: `return usedMs / Math.max(1000, now.getTime() - since);`,
    to: `return 0 * usedMs * since;`,
  },
];

const times: readonly Mutation[] = [
  {
    name: 'nobody looks at a running session at its deadline',
    file: 'shared/sessions/due.ts',
    from: `if (session.idle_timeout_minutes === null) return session.expires_at;`,
    to: `if (session.idle_timeout_minutes === null) return null;`,
  },
  {
    name: 'nobody finishes an end that was begun',
    seed: 6,
    file: 'shared/sessions/due.ts',
    from: `return after(session.updated_at, ENDING_GRACE_MS);`,
    to: `return null;`,
  },
  {
    name: 'nobody ends a stopped session',
    file: 'shared/sessions/due.ts',
    from: `return isAnchored(session) ? null : session.expires_at;`,
    to: `return null;`,
  },
  {
    name: 'nobody finishes a start that was begun',
    file: 'shared/sessions/due.ts',
    from: `return earliest(\n        after(`,
    to: `return session.status === 'creating' ? null : earliest(\n        after(`,
  },
];

const writes: readonly Mutation[] = [
  {
    name: 'what an ended session held is not released',
    file: 'shared/sessions/change.ts',
    from: `const { [holdId(next.id)]: _released, ...holds } = holder.holds;`,
    to: `const { holds } = holder;`,
  },
  {
    name: 'what a failed session held is not released',
    file: 'shared/sessions/lifecycle.ts',
    from: `status === 'stopping' || status === 'terminating';`,
    to: `status === 'stopping' || status === 'terminating' || status === 'failed';`,
  },
  {
    name: 'a session is released when its end begins',
    file: 'shared/sessions/lifecycle.ts',
    from: `status === 'stopping' || status === 'terminating';`,
    to: `status === 'stopping';`,
  },
  {
    name: 'a change is written over one that came between',
    file: 'shared/sessions/change.ts',
    from: `await deps.store.update(stored.key, next, stored.version);`,
    to: `await deps.store.update(stored.key, next, (await deps.store.get(stored.key))?.version ?? stored.version);`,
  },
  {
    name: 'an ended session stays in its namespace',
    file: 'shared/sessions/change.ts',
    from: `if (leaves && namespace !== undefined) {`,
    to: `if (leaves && namespace === undefined) {`,
  },
  {
    name: 'the project of an ended session is not freed',
    file: 'shared/sessions/anchors.ts',
    from: `return [{ type: 'delete', key: stored.key }];`,
    to: `return [];`,
  },
  {
    name: 'a project that has a session gets another',
    file: 'shared/sessions/anchors.ts',
    from: `if (before !== undefined && before.session_id !== request.replaces) return`,
    to: `if (before !== undefined && before.session_id === '') return`,
  },
  {
    name: 'one more than allowed is admitted',
    seed: 6,
    file: 'shared/entitlements/admit.ts',
    from: `> allowed) return`,
    to: `> allowed + 1) return`,
  },
  {
    name: 'what a new session holds is not written down',
    file: 'shared/sessions/admission.ts',
    from: `data: { ...user, holds: { ...user.holds, ...holds } } }`,
    to: `data: user }`,
  },
  {
    name: 'the project of a new session is not written down',
    file: 'shared/sessions/admission.ts',
    from: `[...writes, decided.write, ...aliases]`,
    to: `[...writes, ...aliases]`,
  },
  {
    name: 'an Idempotency-Key is not written down',
    file: 'shared/sessions/admission.ts',
    from: `if (idempotency === undefined) return [];`,
    to: `if (idempotency?.requestHmac !== '') return [];`,
  },
  {
    name: 'a stopped session starts whatever its owner may have by now',
    seed: 8,
    file: 'shared/sessions/readmit.ts',
    from: `refuseOverQuota(entitlements, { ...owner, holds: others }, session, hold);`,
    to: ``,
  },
  {
    name: 'what a started session holds is not written down',
    file: 'shared/sessions/readmit.ts',
    from: `holds: { ...others, [holdId(session.id)]: hold }`,
    to: `holds: others`,
  },
];

const ends: readonly Mutation[] = [
  {
    name: 'a session is terminated before its pod is gone',
    file: 'shared/sessions/end.ts',
    from: `await waitUntilGone(kubernetes, session, signal);`,
    to: ``,
  },
  {
    name: 'a session is stopped before its pod is gone',
    file: 'shared/sessions/stop.ts',
    from: `await waitUntilGone(await deps.kubernetes(), session, signal, uid);`,
    to: ``,
  },
  {
    name: 'the values of env outlive their session',
    file: 'shared/sessions/end.ts',
    from: `if (names.length === 0) return;`,
    to: `if (names.length >= 0) return;`,
  },
];

const storage: readonly Mutation[] = [
  {
    name: 'a volume goes although it is to stay',
    file: 'shared/storage/lifecycle.ts',
    from: `const goes = isUnused && !retain &&`,
    to: `const goes = isUnused &&`,
  },
  {
    name: 'a volume goes although a session uses it',
    seed: 10,
    file: 'shared/storage/lifecycle.ts',
    from: `const goes = isUnused && !retain &&`,
    to: `const goes = !retain &&`,
  },
  {
    name: 'a volume never goes',
    file: 'shared/storage/lifecycle.ts',
    from: `if (goes) return givenUp(next, now) ?? next;`,
    to: ``,
  },
  {
    name: 'what a volume held is not released',
    file: 'shared/storage/finish.ts',
    from: `const { [volumeHoldId(volume.id)]: _released, ...holds } = holder.holds;`,
    to: `const { holds } = holder;`,
  },
  {
    name: 'a volume is said to be gone while its claim is there',
    file: 'shared/storage/claim.ts',
    from: `if (typeof claim !== 'object') return true;`,
    to: `return true;`,
  },
  {
    name: 'a namespace goes although a volume is in it',
    file: 'shared/namespaces/membership.ts',
    from: `return Object.keys(namespace.sessions).length > 0 || Object.keys(namespace.volumes ?? {}).length > 0;`,
    to: `return Object.keys(namespace.sessions).length > 0;`,
  },
];

const sweeping: readonly Mutation[] = [
  {
    name: 'an orphan has no grace period',
    seed: 6,
    file: 'shared/sweep/plan-orphan.ts',
    from: `const isYoung = !verdict.isKnown &&`,
    to: `const isYoung = false &&`,
  },
  {
    name: 'orphaned pods stay',
    seed: 6,
    file: 'shared/sweep/plan-orphan.ts',
    from: `if (session === undefined) return unknown('its session is not known');\n  if (pod.name`,
    to: `if (session === undefined) return undefined;\n  if (pod.name`,
  },
  {
    name: 'pods of other installations are swept',
    file: 'shared/sweep/observe.ts',
    from: 'return `${labels.installation}=${deps.installation}`;',
    to: 'return `${labels.installation}${deps.installation.slice(0, 0)}`;',
  },
  {
    name: 'a session whose pod does not come up has no deadline',
    seed: 32,
    file: 'shared/sweep/plan-session.ts',
    from: `if (session.status === 'creating' && !isPastDeadline(session, now)) return {`,
    to: `if (session.status === 'creating' && (isPastDeadline(session, now) || session.id !== '')) return {`,
  },
  {
    name: 'a lost pod is not noticed',
    seed: 13,
    file: 'shared/sweep/plan-session.ts',
    from: `if (pod === undefined || pod.uid !== session.pod_uid) return {`,
    to: `if (pod === undefined || pod.uid !== session.pod_uid) return session.id !== '' ? undefined : {`,
  },
];

export const mutations: readonly Mutation[] = [...states, ...times, ...writes, ...ends, ...storage, ...sweeping];
