import type { CoreV1Api, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Deps } from '../../../shared/deps.ts';
import { KubernetesError } from '../../../shared/kubernetes/errors.ts';
import type { Kubernetes } from '../../../shared/kubernetes/port.ts';
import { removePod, removeThisPod } from '../../../shared/sessions/end.ts';
import { implementations, type StoreFixture } from '../../contract/documents-fixture.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { storeDeps } from '../../fakes/store-deps.ts';

const session = sessionDocument();
const pod = { name: session.pod_name, namespace: session.k8s_namespace };

let fixture: StoreFixture;
let base: Deps;

beforeAll(async () => {
  const [sqlite] = implementations;
  if (sqlite === undefined) throw new Error('there is no store');
  fixture = sqlite.start();
  base = storeDeps(await fixture.open());
});
afterAll(async () => fixture.close());

/** A cluster that answers each deletion with a pod that has to be gone at that time, or with an error. */
function clusterWith(answer: Date | Error): { readonly deps: Deps; readonly deletions: object[] } {
  const deletions: object[] = [];
  const core: Partial<CoreV1Api> = {
    deleteNamespacedPod: (parameters) => {
      deletions.push(parameters);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ metadata: { deletionTimestamp: answer } } as V1Pod);
    },
  };
  const kubernetes: Partial<Kubernetes> = { core: core as CoreV1Api };
  return { deps: { ...base, kubernetes: () => Promise.resolve(kubernetes as Kubernetes) }, deletions };
}

function refusal(code: number, reason: string): Error {
  return new KubernetesError({ code, reason, message: reason });
}

const secondsAgo = (seconds: number): Date => new Date(testNow.getTime() - seconds * 1000);

describe('the removal of a pod', () => {
  it('leaves its end to the kubelet, as long as there may be one', async () => {
    const { deps, deletions } = clusterWith(secondsAgo(59));
    expect(await removePod(deps, session, 'uid-1')).toBe(true);
    expect(deletions).toEqual([{ ...pod, body: { preconditions: { uid: 'uid-1' } } }]);
  });

  it('takes one out of the API that nobody has confirmed for a minute: that very one', async () => {
    const { deps, deletions } = clusterWith(secondsAgo(60));
    expect(await removePod(deps, session, 'uid-1')).toBe(true);
    expect(deletions[1]).toEqual({ ...pod, body: { preconditions: { uid: 'uid-1' }, gracePeriodSeconds: 0 } });
  });

  it('says that it was not there, also where another has its name', async () => {
    expect(await removePod(clusterWith(refusal(404, 'NotFound')).deps, session)).toBe(false);
    expect(await removePod(clusterWith(refusal(409, 'Conflict')).deps, session, 'uid-1')).toBe(false);
    await expect(removePod(clusterWith(refusal(409, 'Conflict')).deps, session)).rejects.toThrow('409');
  });

  it('lets one go that is going, and helps after a minute', async () => {
    for (const [seconds, calls] of [
      [10, 0],
      [60, 2],
    ] as const) {
      const { deps, deletions } = clusterWith(secondsAgo(seconds));
      await removeThisPod(deps, { metadata: { ...pod, uid: 'uid-1', deletionTimestamp: secondsAgo(seconds) } });
      expect(deletions).toHaveLength(calls);
    }
  });
});
