/**
 * What a session's document knows of the helper in its pod, and the way to it.
 *
 * @module
 */
import type { Config } from '../config.ts';
import type { Deps } from '../deps.ts';
import type { PodTarget } from '../helper/port.ts';
import { installationKeyId, podHelperSecret } from '../helper/secret.ts';
import { containerName } from '../pods/names.ts';
import type { SessionDocument, SessionHelper } from './model.ts';

/** For a new session. A pod that is reached by exec alone gets no secret: there, the API server has told who calls. */
export function newHelper(deps: Deps): SessionHelper {
  return {
    delivery: deps.config.helperDelivery === 'init' ? 'init' : 'upload',
    secret: isReachedByTcp(deps.config) ? { key_id: installationKeyId(deps.installationKey), nonce: deps.newId() } : null,
  };
}

function isReachedByTcp({ podChannel, controlPlaneCidr }: Config): boolean {
  return podChannel === 'auto' ? controlPlaneCidr !== undefined : podChannel !== 'exec';
}

/** `undefined` where the pod has none, or where its installation key is not at hand any more. */
export function podSecret(deps: Deps, session: SessionDocument): Uint8Array | undefined {
  const { secret } = session.helper ?? { secret: null };
  if (secret === null) return undefined;
  const keys = [deps.installationKey, deps.previousInstallationKey];
  const key = keys.find((candidate) => candidate !== undefined && installationKeyId(candidate) === secret.key_id);
  if (key === undefined) return undefined;
  return podHelperSecret(key, { sessionId: session.id, generation: session.generation, nonce: secret.nonce });
}

export function podTarget(deps: Deps, session: SessionDocument, podUid: string): PodTarget {
  return {
    sessionId: session.id,
    generation: session.generation,
    podUid,
    namespace: session.k8s_namespace,
    pod: session.pod_name,
    container: containerName,
    delivery: session.helper?.delivery ?? 'upload',
    secret: podSecret(deps, session),
  };
}
