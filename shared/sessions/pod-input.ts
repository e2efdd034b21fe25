/**
 * What a session's pod is built from.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { bucketName } from '../namespaces/names.ts';
import type { PodInput } from '../pods/manifest.ts';
import type { SessionDocument } from './model.ts';

export function podInput(deps: Deps, session: SessionDocument): PodInput {
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
    volumes: spec.volumes,
    ...(spec.gpu === undefined ? {} : { gpu: spec.gpu }),
    gracePeriodSeconds: spec.grace_period_seconds,
    envNames: spec.env_names,
    activeDeadlineSeconds: spec.active_deadline_seconds,
    helper: {
      hasSecret: (session.helper?.secret ?? null) !== null,
      ...(session.helper?.delivery === 'init' && deps.config.helperImage !== undefined ? { image: deps.config.helperImage } : {}),
    },
    ...(session.workspace_id === null ? {} : { workspaceId: session.workspace_id }),
    ...(spec.command === null ? {} : { command: spec.command }),
    ...(spec.egress === undefined ? {} : { egress: spec.egress }),
    ...(spec.runtime_class === undefined ? {} : { runtimeClassName: spec.runtime_class }),
  };
}
