/**
 * Why a session's pod cannot be placed, where it is for a claim that is not bound: the pod's own status says little about that.
 *
 * @module
 */
import type { CoreV1Event } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { isNotFound } from '../kubernetes/errors.ts';
import type { SessionDocument } from '../sessions/model.ts';

const MOST_EVENTS = 50;
const LONGEST_MESSAGE = 600;

/** `claim_unbound: <words>`; undefined where every claim is bound, or the session mounts none. */
export async function explainUnbound(deps: Deps, session: SessionDocument): Promise<string | undefined> {
  const namespace = session.k8s_namespace;
  const claims = new Set(session.spec.volumes.flatMap(({ type, source }) => (type === 'persistent_volume' ? [source] : [])));
  if (claims.size === 0) return undefined;
  const { core } = await deps.kubernetes();
  for (const name of claims) {
    try {
      const claim = await core.readNamespacedPersistentVolumeClaim({ name, namespace });
      if (claim.status?.phase === 'Bound') continue;
      const fieldSelector = `involvedObject.kind=PersistentVolumeClaim,involvedObject.name=${name}`;
      const events = await core.listNamespacedEvent({ namespace, fieldSelector, limit: MOST_EVENTS });
      return describe(name, claim.status?.phase ?? 'Pending', events.items);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return `claim_unbound: The claim "${name}" is not there.`;
    }
  }
  return undefined;
}

/** For a pod that finds no node: what its storage has to do with that, or the reason as it is. */
export async function explainPlacement(deps: Deps, session: SessionDocument, reason: string): Promise<string> {
  return (await explainUnbound(deps, session)) ?? withHint(session, reason);
}

/** Pure. */
export function withHint({ spec }: Pick<SessionDocument, 'spec'>, reason: string): string {
  const isOnOneNode = spec.volumes.some(({ type, shared }) => type === 'persistent_volume' && !shared);
  if (!isOnOneNode || !reason.includes('affinity')) return reason;
  return `${reason} A volume that one node alone can have brings all its sessions to that node: end one of them, run the work as a job in the session that is there (run_in: session), or use a shared volume.`;
}

/** A warning says more than that a consumer is waited for. Pure. */
export function describe(name: string, phase: string, events: readonly CoreV1Event[]): string {
  const moment = (event: CoreV1Event): number =>
    new Date(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? 0).getTime();
  const newest = events.toSorted((left, right) => moment(right) - moment(left));
  const message = (newest.find(({ type }) => type === 'Warning') ?? newest[0])?.message?.trim() ?? '';
  const words = `claim_unbound: The claim "${name}" is not bound (${phase})`;
  return message === '' ? `${words}.` : `${words}: ${message.slice(0, LONGEST_MESSAGE)}`;
}
