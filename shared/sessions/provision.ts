/**
 * Brings a session that is `creating` to `running`, or to `failed` with Kubernetes' own reason.
 *
 * Every object has a deterministic name and every step may be repeated: the request that created the session, its `provision` task and
 * the sweep may all be at it at once.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { isAlreadyExists, isNamespaceTerminating, isNotFound, statusOf } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { backoffMs, pause, retryWhile } from '../kubernetes/retry.ts';
import { ensureNamespace, forgetObjects } from '../namespaces/ensure.ts';
import { buildPod } from '../pods/manifest.ts';
import { labels } from '../pods/names.ts';
import { ensureVolumes } from '../storage/ensure.ts';
import { explainPlacement, explainUnbound } from '../storage/unbound.ts';
import { changeSession, readSession } from './change.ts';
import { userKey } from './collections.ts';
import { removePod, removeSecrets, removeThisPod, waitUntilGone } from './end.ts';
import { enqueueExpire } from './expire-task.ts';
import { meetHelper, withoutShell } from './meet-helper.ts';
import { podInput } from './pod-input.ts';
import { ensureHelperSecret, ensureSecret } from './pod-secrets.ts';
import { leftMs, waitUntilReady, type Readiness } from './readiness.ts';
import type { StartOutcome } from './lifecycle.ts';
import type { SessionDocument } from './model.ts';

const LOOK_AT_OLD_POD_MS = 15_000;

export interface ProvisionOptions {
  /** Known only to the request that created the session: the store never holds it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the waiting, not the session. */
  readonly signal: AbortSignal;
}

/**
 * Answers the session as it is when it has left `creating`, or when the signal aborted. Throws what Kubernetes throws where its API
 * cannot be reached; then everything is as it was, and a later call goes on.
 */
export async function provision(deps: Deps, id: string, options: ProvisionOptions): Promise<SessionDocument | undefined> {
  let lastSeen: string | undefined;
  return whileCreating(deps, id, options.signal, async (session, attempts) => {
    if (Date.parse(session.start_deadline) <= deps.clock.now().getTime()) {
      const seen = lastSeen ?? (await explainUnbound(deps, session));
      await tell(deps, session, { type: 'start_deadline', ...(seen === undefined ? {} : { lastSeen: seen }) });
    } else {
      lastSeen = (await attempt(deps, session, options, attempts > 0)) ?? lastSeen;
    }
    return false;
  });
}

/** The part of it that only the creating request can do: the namespace, and in it the Secret with the values of `env`. */
export async function prepare(deps: Deps, id: string, options: Required<ProvisionOptions>): Promise<void> {
  await whileCreating(deps, id, options.signal, async (session) => {
    await ensureSessionNamespace(deps, session, options.signal);
    return ensureSecret(deps, await deps.kubernetes(), session, options.env);
  });
}

/** Calls until the call says that it is done, the session has left `creating`, or the signal aborts. */
async function whileCreating(
  deps: Deps,
  id: string,
  signal: AbortSignal,
  call: (session: SessionDocument, attempts: number) => Promise<boolean>,
): Promise<SessionDocument | undefined> {
  for (let attempts = 0; ; attempts += 1) {
    const stored = await readSession(deps, id);
    if (stored === undefined) return undefined;
    const session = stored.data;
    if (session.status !== 'creating') {
      if (attempts > 0) await removeLeftovers(deps, session);
      return session;
    }
    if (signal.aborted) return session;
    // What changes nothing must not spin.
    if (attempts > 0) await pause(backoffMs(attempts - 1), signal).catch(() => {});
    try {
      if (await call(session, attempts)) return session;
    } catch (error) {
      if (!signal.aborted) await onFailure(deps, session, error);
    }
  }
}

/** Throws on what says nothing about the session. */
async function onFailure(deps: Deps, session: SessionDocument, error: unknown): Promise<void> {
  // Somebody has removed the namespace behind our back, or is at it.
  if (isNotFound(error) || isNamespaceTerminating(error)) return forgetObjects(deps, session.namespace);
  const reason = refusalReason(error);
  if (reason === undefined) throw error;
  await tell(deps, session, { type: 'start_failed', reason });
}

/** The session may have ended between our look at it and the creation of its pod: then the pod is nobody's, and goes. */
async function removeLeftovers(deps: Deps, session: SessionDocument): Promise<void> {
  if (session.status === 'running' || session.status === 'stopping') return;
  if (session.status === 'stopped' || session.status === 'failed') {
    // It may have been started again meanwhile: that pod is its own.
    const { core } = await deps.kubernetes();
    const pod = await readPod(core, session);
    if (pod !== undefined && generationOf(pod) <= session.generation) await removeThisPod(deps, pod);
    return;
  }
  await removePod(deps, session);
  await removeSecrets(deps, session);
}

/** One pass; what it brought about stands in the session's document. Answers what is in the way, where that may pass. */
async function attempt(deps: Deps, session: SessionDocument, options: ProvisionOptions, again: boolean): Promise<string | undefined> {
  await ensureSessionNamespace(deps, session, options.signal);
  const kubernetes = await deps.kubernetes();
  if (!(await ensureSecret(deps, kubernetes, session, options.env))) {
    const reason = 'create_interrupted: Berth was interrupted before the values of env were safe; create the session again';
    await tell(deps, session, { type: 'start_failed', reason });
    return undefined;
  }
  await ensureHelperSecret(deps, kubernetes, session);
  const volumes = await ensureVolumes(deps, session, options.signal);
  if (volumes.kind === 'waiting') return volumes.reason;
  if (volumes.kind === 'failed') {
    await tell(deps, session, { type: 'start_failed', reason: volumes.reason });
    return undefined;
  }
  const pod = await ensurePod(deps, kubernetes, session, options.signal, again);
  if (pod === undefined) return undefined;
  const outcome = await waitUntilReady(deps, kubernetes, session, pod, options.signal);
  const met = outcome.kind === 'ready' ? await meetHelper(deps, session, outcome, options.signal) : await failure(deps, session, outcome);
  if (typeof met === 'string') return met;
  if (met !== undefined) await tell(deps, session, met);
  return undefined;
}

/**
 * Of the pod that was looked at: the session may have been stopped and started again meanwhile. The deadline's own task lies since the
 * create; a session that may be idle before it has to be looked at before.
 */
async function tell(deps: Deps, session: SessionDocument, event: StartOutcome): Promise<void> {
  const result = await changeSession(deps, session.id, { ...event, generation: session.generation });
  if (result?.session.status === 'running' && result.session.due_at !== result.session.expires_at)
    await enqueueExpire(deps, result.session);
}

/** What a container runtime says of the shell that waits for the helper, where the image has none. */
const NO_SHELL = /exec: "sh": (?:executable file not found|stat sh: no such file)/;

async function failure(deps: Deps, session: SessionDocument, outcome: Readiness): Promise<StartOutcome | undefined> {
  if (outcome.kind !== 'failed') return undefined;
  if (NO_SHELL.test(outcome.reason)) return withoutShell(deps);
  const isPlacement = outcome.reason.startsWith('Unschedulable:');
  return { type: 'start_failed', reason: isPlacement ? await explainPlacement(deps, session, outcome.reason) : outcome.reason };
}

async function ensureSessionNamespace(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<void> {
  const user = await deps.store.get<UserDocument>(userKey(session.user));
  await ensureNamespace(deps, session.namespace, entitlementsOf(session.user_type, user?.data.limits, deps.config.entitlements), signal);
}

/**
 * `again`: the pod may be there, so it is looked for first: a quota counts a refused create as a pod until it is reckoned anew, minutes
 * later.
 */
async function ensurePod(
  deps: Deps,
  kubernetes: Kubernetes,
  session: SessionDocument,
  signal: AbortSignal,
  again: boolean,
): Promise<V1Pod | undefined> {
  const { core } = kubernetes;
  const namespace = session.k8s_namespace;
  const before = again ? await readPod(core, session) : undefined;
  if (before === undefined) {
    const body = buildPod(podInput(deps, session));
    try {
      return await retryWhile(isTooEarly, () => core.createNamespacedPod({ namespace, body }), signal);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
  const present = before ?? (await readPod(core, session));
  if (present?.metadata?.labels?.[labels.generation] === String(session.generation) && present.metadata.deletionTimestamp === undefined) {
    return present;
  }
  if (present === undefined || generationOf(present) > session.generation) return undefined;
  // The pod before, or one that somebody has deleted: its name is free when it is gone.
  await removeThisPod(deps, present);
  // In parts: only a further look finds that its node is lost.
  using deadline = startDeadline(Math.min(leftMs(deps, session), LOOK_AT_OLD_POD_MS), signal);
  await waitUntilGone(kubernetes, session, deadline.signal, present.metadata?.uid);
  return undefined;
}

function generationOf(pod: V1Pod): number {
  return Number(pod.metadata?.labels?.[labels.generation]);
}

async function readPod(core: Kubernetes['core'], session: SessionDocument): Promise<V1Pod | undefined> {
  try {
    return await core.readNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Refusals that pass by themselves within moments of a namespace's creation: its service account and its quota are not in the admission
 * controllers' caches yet. Exactly these messages; everything else is a refusal.
 */
function isTooEarly(error: unknown): boolean {
  const status = statusOf(error);
  if (status?.code !== 403) return false;
  return /error looking up service account .* not found|status unknown for quota/.test(status.message);
}

/** `<code>: <words>` where Kubernetes refuses what the session needs; `undefined` for failures that say nothing about the session. */
function refusalReason(error: unknown): string | undefined {
  if (error instanceof AppError && error.code === 'cluster_refused') return `refused: ${error.detail}`;
  const status = statusOf(error);
  if (status === undefined) return undefined;
  if (status.code === 403 && status.message.includes('exceeded quota')) return `quota: ${status.message}`;
  if (status.code === 403 && status.message.includes('violates PodSecurity')) return `pod_security: ${status.message}`;
  if (status.code === 403 || status.code === 422 || status.code === 400) return `refused: ${status.message}`;
  return undefined;
}
