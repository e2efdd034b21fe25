/**
 * Objects that somebody made by hand under an installation's labels: a namespace, and a pod, a claim and a policy in a namespace that is
 * nobody's.
 */
import { isNotFound, statusOf } from '../../shared/kubernetes/errors.ts';
import type { Kubernetes } from '../../shared/kubernetes/port.ts';
import { retryWhile } from '../../shared/kubernetes/retry.ts';
import { labels } from '../../shared/pods/names.ts';

export interface ByHand {
  /** The namespace that carries no label of ours. */
  readonly neutral: string;
  readonly own: string;
  /** Kinds of those that are still there, by name. */
  left(kubernetes: Kubernetes): Promise<readonly string[]>;
}

const NAME = 'by-hand';

export async function makeByHand(kubernetes: Kubernetes, installation: string): Promise<ByHand> {
  const { core, networking } = kubernetes;
  const neutral = `neutral-${installation}`;
  const own = `orphan-${installation}`;
  const given = { [labels.installation]: installation };
  const metadata = { name: NAME, labels: { ...given, [labels.session]: 'nobody', [labels.volume]: 'nothing' } };
  await core.createNamespace({ body: { metadata: { name: neutral } } });
  await core.createNamespace({ body: { metadata: { name: own, labels: given } } });
  const resources = { requests: { cpu: '10m', memory: '16Mi' } };
  const spec = {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'c', image: 'python:3.11-slim', command: ['sleep', '1000'], resources }],
  };
  // Its service account is made a moment after the namespace.
  await retryWhile(
    (error) => statusOf(error)?.code === 403,
    () => core.createNamespacedPod({ namespace: neutral, body: { metadata, spec } }),
  );
  await core.createNamespacedPersistentVolumeClaim({
    namespace: neutral,
    body: { metadata, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  });
  await networking.createNamespacedNetworkPolicy({
    namespace: neutral,
    body: { metadata, spec: { podSelector: {}, policyTypes: ['Egress'] } },
  });
  return { neutral, own, left: (now) => whatIsLeft(now, neutral, own) };
}

async function whatIsLeft({ core, networking }: Kubernetes, neutral: string, own: string): Promise<readonly string[]> {
  const object = { namespace: neutral, name: NAME };
  const reads: Readonly<Record<string, () => Promise<unknown>>> = {
    claim: () => core.readNamespacedPersistentVolumeClaim(object),
    namespace: () => core.readNamespace({ name: own }),
    pod: () => core.readNamespacedPod(object),
    policy: () => networking.readNamespacedNetworkPolicy(object),
  };
  const found = await Promise.all(Object.entries(reads).map(async ([kind, read]) => ((await isThere(read)) ? [kind] : [])));
  return found.flat();
}

async function isThere(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

export async function removeByHand({ core }: Kubernetes, { neutral, own }: ByHand): Promise<void> {
  for (const name of [neutral, own]) {
    await core.deleteNamespace({ name }).catch((error: unknown) => {
      if (!isNotFound(error) && statusOf(error)?.code !== 409) throw error;
    });
  }
}
