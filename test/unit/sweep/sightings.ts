/**
 * Objects as a pass of the sweep sees them.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { labels } from '../../../shared/pods/names.ts';
import type { ObjectKind, Sighting } from '../../../shared/sweep/actions.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

/** Long ago, measured by `testNow`. */
export const past = '2026-03-01T11:00:00.000Z';

export function sighting(kind: ObjectKind, fields: Partial<Sighting> = {}): Sighting {
  return {
    kind,
    name: `some-${kind}`,
    namespace: kind === 'namespace' ? '' : sessionDocument().k8s_namespace,
    uid: `uid-of-${kind}`,
    labels: {},
    annotations: {},
    createdAt: past,
    deletedAt: null,
    isOwned: false,
    ...fields,
  };
}

/** The pod of `sessionDocument()`, its metadata alone. */
export function podSighting(fields: Partial<Sighting> = {}, generation = 1): Sighting {
  const session = sessionDocument();
  return sighting('pod', {
    name: session.pod_name,
    uid: 'uid-1',
    labels: { [labels.session]: session.id, [labels.generation]: String(generation) },
    ...fields,
  });
}

export function wholePod({ waiting, phase = 'Running', restartCount = 0, exitCode = 1, reason }: Seen = {}): V1Pod {
  return {
    metadata: { name: sessionDocument().pod_name, uid: 'uid-1' },
    spec: { containers: [{ name: 'session', image: 'python:3.11-slim' }] },
    status: {
      phase,
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Ready', status: waiting === undefined ? 'True' : 'False' },
      ],
      containerStatuses: [
        {
          name: 'session',
          image: 'python:3.11-slim',
          imageID: '',
          ready: waiting === undefined,
          restartCount,
          state: waiting === undefined ? { running: {} } : { waiting: { reason: waiting } },
          lastState: restartCount === 0 ? {} : { terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } },
        },
      ],
    },
  };
}

export interface Seen {
  readonly waiting?: string;
  readonly phase?: string;
  readonly restartCount?: number;
  readonly exitCode?: number;
  readonly reason?: string;
}
