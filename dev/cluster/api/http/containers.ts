/**
 * Which container of a pod a request for `exec` or `log` means, and whether it can be had.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { ObjectStore } from '../object-store.ts';
import { pods } from '../resources.ts';
import { badRequest, notFound } from '../status.ts';
import { allContainers } from '../validation/pod.ts';

export interface PodContainer {
  readonly pod: V1Pod;
  readonly container: string;
}

/** Throws 404 for a missing pod, 400 where the container is not of the pod, or not named though there are several. */
export function findContainer(objects: ObjectStore, namespace: string | undefined, name: string, asked: string | null): PodContainer {
  const pod = objects.get<V1Pod>(pods, namespace, name);
  if (pod === undefined) throw notFound(pods, name);
  const names = (pod.spec?.containers ?? []).map((container) => container.name);
  const [only, ...others] = names;
  if (asked !== null && asked !== '') {
    if (!allContainers(pod.spec).some((container) => container.name === asked))
      throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return { pod, container: asked };
  }
  const initNames = (pod.spec?.initContainers ?? []).map((container) => container.name);
  const initial = initNames.length === 0 ? '' : ` or one of the init containers: [${initNames.join(' ')}]`;
  if (only === undefined || others.length > 0)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]${initial}`);
  return { pod, container: only };
}
