/**
 * The Secrets of a session's pod: the values of its `env`, and what its helper proves itself with.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { isAlreadyExists, isNotFound } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { buildEnvSecret, buildHelperSecret } from '../pods/manifest.ts';
import { envSecretName, helperSecretName } from '../pods/names.ts';
import { removeObject } from './end.ts';
import type { SessionDocument } from './model.ts';
import { podInput } from './pod-input.ts';
import { podSecret } from './session-helper.ts';

/**
 * Writes the values, where this is the request that has them; elsewhere finds out whether they were written. A dry run of the same
 * `create` tells without the right to read Secrets.
 */
export async function ensureSecret(
  deps: Deps,
  { core }: Kubernetes,
  session: SessionDocument,
  env: Readonly<Record<string, string>> | undefined,
): Promise<boolean> {
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

/**
 * New values of `env` for the next pod, in one step: a Secret that is missing for a moment would end the session as interrupted. Where there
 * is none, who starts a session that is `creating` writes it; one that is still stopping has the time for it now.
 */
export async function replaceEnvSecret(deps: Deps, session: SessionDocument, env: Readonly<Record<string, string>>): Promise<void> {
  const { core } = await deps.kubernetes();
  const secret = { name: envSecretName(session.id), namespace: session.k8s_namespace };
  if (session.spec.env_names.length === 0) return removeObject(() => core.deleteNamespacedSecret(secret));
  const body = buildEnvSecret(podInput(deps, session), env);
  try {
    await core.replaceNamespacedSecret({ ...secret, body });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (session.status === 'stopping') await core.createNamespacedSecret({ namespace: secret.namespace, body });
  }
}

/** Written before the pod: a kubelet that finds no Secret looks again only after a while. The one of the pod before goes. */
export async function ensureHelperSecret(deps: Deps, { core }: Kubernetes, session: SessionDocument): Promise<void> {
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
