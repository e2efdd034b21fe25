/**
 * Brings a session that is `creating` to `running`, or to `failed` with Kubernetes' own reason.
 *
 * Every object has a deterministic name and every step may be repeated: the request that created the session, its `provision` task and
 * the sweep may all be at it at once.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound, statusOf } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { pause, retryWhile } from '../kubernetes/retry.ts';
import { ensureNamespace, forgetObjects } from '../namespaces/ensure.ts';
import { bucketName } from '../namespaces/names.ts';
import { buildEnvSecret, buildHelperSecret, buildPod, type PodInput } from '../pods/manifest.ts';
import { helperSecretName, labels } from '../pods/names.ts';
import { changeSession, readSession } from './change.ts';
import { userKey } from './collections.ts';
import { removeObject, removePod, removeSecrets } from './end.ts';
import { meetHelper, withoutShell } from './meet-helper.ts';
import { podSecret } from './session-helper.ts';
import { waitUntilReady, type Readiness } from './readiness.ts';
import type { SessionEvent } from './lifecycle.ts';
import type { SessionDocument } from './model.ts';

const LOOK_AGAIN_MS = 100;

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
      await changeSession(deps, session.id, { type: 'start_deadline', ...(lastSeen === undefined ? {} : { lastSeen }) });
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
    if (attempts > 0) await pause(LOOK_AGAIN_MS, signal).catch(() => {});
    try {
      if (await call(session, attempts)) return session;
    } catch (error) {
      if (!signal.aborted) await onFailure(deps, session, error, signal);
    }
  }
}

/** Throws on what says nothing about the session. */
async function onFailure(deps: Deps, session: SessionDocument, error: unknown, signal: AbortSignal): Promise<void> {
  if (isNotFound(error) || isNamespaceTerminating(error)) {
    // Somebody has removed the namespace behind our back, or is at it.
    await forgetObjects(deps, session.namespace);
    await pause(LOOK_AGAIN_MS, signal).catch(() => {});
    return;
  }
  const reason = refusalReason(error);
  if (reason === undefined) throw error;
  await changeSession(deps, session.id, { type: 'start_failed', reason });
}

/** The session may have ended between our look at it and the creation of its pod: then the pod is nobody's, and goes. */
async function removeLeftovers(deps: Deps, session: SessionDocument): Promise<void> {
  if (session.status === 'running' || session.status === 'stopping' || session.status === 'stopped') return;
  await removePod(deps, session);
  if (session.status !== 'failed') await removeSecrets(deps, session);
}

/** One pass; what it brought about stands in the session's document. Answers what is in the way, where that may pass. */
async function attempt(deps: Deps, session: SessionDocument, options: ProvisionOptions, again: boolean): Promise<string | undefined> {
  await ensureSessionNamespace(deps, session, options.signal);
  const kubernetes = await deps.kubernetes();
  if (!(await ensureSecret(deps, kubernetes, session, options.env))) {
    const reason = 'create_interrupted: Berth was interrupted before the values of env were safe; create the session again';
    await changeSession(deps, session.id, { type: 'start_failed', reason });
    return undefined;
  }
  await ensureHelperSecret(deps, kubernetes, session);
  const pod = await ensurePod(deps, kubernetes, session, options.signal, again);
  if (pod === undefined) return undefined;
  const outcome = await waitUntilReady(deps, kubernetes, session, pod, options.signal);
  const met = outcome.kind === 'ready' ? await meetHelper(deps, session, outcome, options.signal) : failure(deps, outcome);
  if (typeof met === 'string') return met;
  if (met !== undefined) await changeSession(deps, session.id, met);
  return undefined;
}

/** What a container runtime says of the shell that waits for the helper, where the image has none. */
const NO_SHELL = /exec: "sh": (?:executable file not found|stat sh: no such file)/;

function failure(deps: Deps, outcome: Readiness): SessionEvent | undefined {
  if (outcome.kind !== 'failed') return undefined;
  return NO_SHELL.test(outcome.reason) ? withoutShell(deps) : { type: 'start_failed', reason: outcome.reason };
}

async function ensureSessionNamespace(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<void> {
  const user = await deps.store.get<UserDocument>(userKey(session.user));
  await ensureNamespace(deps, session.namespace, entitlementsOf(session.user_type, user?.data.limits), signal);
}

/**
 * Writes the values, where this is the request that has them; elsewhere finds out whether they were written. A dry run of the same
 * `create` tells without the right to read Secrets.
 */
async function ensureSecret(deps: Deps, { core }: Kubernetes, session: SessionDocument, env: ProvisionOptions['env']): Promise<boolean> {
  if (session.spec.env_names.length === 0) return true;
  const body = buildEnvSecret(podInput(deps, session), env ?? {});
  try {
    await core.createNamespacedSecret({ namespace: session.k8s_namespace, body, ...(env === undefined ? { dryRun: 'All' } : {}) });
    return env !== undefined;
  } catch (error) {
    if (isAlreadyExists(error)) return true;
    throw error;
  }
}

/** Written before the pod: a kubelet that finds no Secret looks again only after a while. The one of the pod before goes. */
async function ensureHelperSecret(deps: Deps, { core }: Kubernetes, session: SessionDocument): Promise<void> {
  const secret = podSecret(deps, session);
  if (secret === undefined) return;
  const namespace = session.k8s_namespace;
  if (session.generation > 1) {
    await removeObject(() => core.deleteNamespacedSecret({ name: helperSecretName(session.id, session.generation - 1), namespace }));
  }
  try {
    await core.createNamespacedSecret({ namespace, body: buildHelperSecret(podInput(deps, session), secret) });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/**
 * `again`: the pod may be there, so it is looked for first: a quota counts a refused create as a pod until it is reckoned anew, minutes
 * later.
 */
async function ensurePod(
  deps: Deps,
  { core }: Kubernetes,
  session: SessionDocument,
  signal: AbortSignal,
  again: boolean,
): Promise<V1Pod | undefined> {
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
  if (present !== undefined && Number(present.metadata?.labels?.[labels.generation]) < session.generation)
    await removeEarlier(core, present);
  await pause(LOOK_AGAIN_MS, signal);
  return undefined;
}

/** By its uid: somebody else may have made the next one meanwhile, and what we know of the session may be old. */
async function removeEarlier(core: Kubernetes['core'], { metadata }: V1Pod): Promise<void> {
  const { name = '', namespace = '', uid } = metadata ?? {};
  if (uid === undefined) return;
  try {
    await core.deleteNamespacedPod({ name, namespace, body: { preconditions: { uid } } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

async function readPod(core: Kubernetes['core'], session: SessionDocument): Promise<V1Pod | undefined> {
  try {
    return await core.readNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function podInput(deps: Deps, session: SessionDocument): PodInput {
  const { spec } = session;
  return {
    installation: deps.installation,
    sessionId: session.id,
    generation: session.generation,
    user: session.user,
    namespace: session.namespace,
    kubernetesNamespace: session.k8s_namespace,
    bucketName: bucketName(deps.installation, session.k8s_namespace),
    image: spec.image,
    resources: {
      requests: { cpu: spec.resources.cpu_requests, memory: spec.resources.memory_requests },
      limits: { cpu: spec.resources.cpu, memory: spec.resources.memory },
    },
    workspaceSizeGib: spec.workspace_gb,
    envNames: spec.env_names,
    activeDeadlineSeconds: spec.active_deadline_seconds,
    helper: {
      hasSecret: (session.helper?.secret ?? null) !== null,
      ...(session.helper?.delivery === 'init' && deps.config.helperImage !== undefined ? { image: deps.config.helperImage } : {}),
    },
    ...(session.workspace_id === null ? {} : { workspaceId: session.workspace_id }),
    ...(spec.command === null ? {} : { command: spec.command }),
  };
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
