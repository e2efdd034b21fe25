/**
 * Events (`kubectl describe`): one object for what happens again and again to the same object, with a count.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { CoreV1Event, KubernetesObject } from '@kubernetes/client-node';
import { NODE_NAME } from './resources.ts';

export interface EventRecord {
  readonly about: KubernetesObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  readonly now: Date;
}

/** The event's object. Its name is made of what makes two events the same, so that a repeated one is found by name. */
export function describeEvent({ about, type, reason, message, component, now }: EventRecord): CoreV1Event {
  const { name = '', namespace, uid, resourceVersion } = about.metadata ?? {};
  const identity = createHash('sha256')
    .update(JSON.stringify([about.kind, uid, type, reason, message, component]))
    .digest('hex')
    .slice(0, 16);
  return {
    metadata: { name: `${name}.${identity}`, namespace: namespace ?? 'default' },
    involvedObject: {
      ...(about.kind !== undefined && { kind: about.kind }),
      ...(namespace !== undefined && { namespace }),
      name,
      ...(uid !== undefined && { uid }),
      ...(about.apiVersion !== undefined && { apiVersion: about.apiVersion }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    reason,
    message,
    source: { component, host: NODE_NAME },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    type,
    reportingComponent: component,
    reportingInstance: NODE_NAME,
  };
}

/** Counts one more occurrence. */
export function repeatEvent(event: CoreV1Event, now: Date): void {
  event.count = (event.count ?? 1) + 1;
  event.lastTimestamp = now;
}
