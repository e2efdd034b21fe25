/**
 * The documents as they stand after the last commit, for rules to look at.
 */
import type { UserDocument } from '../../shared/entitlements/model.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import type { Commit } from '../fakes/faulty-store.ts';

export interface Mirror {
  readonly sessions: Map<string, SessionDocument>;
  readonly users: Map<string, UserDocument>;
  readonly volumes: Map<string, VolumeDocument>;
  readonly namespaces: Map<string, NamespaceDocument>;
  readonly anchors: Map<string, { readonly session_id: string }>;
  readonly activity: Map<string, { readonly at: string }>;
  /** Sessions that ended while they were stopped or had failed: they held nothing, and need hold nothing while they end. */
  readonly endedAtRest: Set<string>;
  apply(commit: Commit): void;
}

export function createMirror(): Mirror {
  const collections = {
    sessions: new Map<string, SessionDocument>(),
    users: new Map<string, UserDocument>(),
    volumes: new Map<string, VolumeDocument>(),
    namespaces: new Map<string, NamespaceDocument>(),
    anchors: new Map<string, { readonly session_id: string }>(),
    activity: new Map<string, { readonly at: string }>(),
  };
  const byName = new Map<string, Map<string, object>>(Object.entries(collections));
  const endedAtRest = new Set<string>();
  return {
    ...collections,
    endedAtRest,
    apply: ({ key, before, after }) => {
      if (key.collection === 'sessions' && isAtRest(before)) endedAtRest.add(key.id);
      if (key.collection === 'sessions' && isStarted(after)) endedAtRest.delete(key.id);
      const collection = byName.get(key.collection);
      if (after === undefined) collection?.delete(key.id);
      else collection?.set(key.id, after);
    },
  };
}

function isStarted(document: object | undefined): boolean {
  return document !== undefined && Reflect.get(document, 'status') === 'creating';
}

function isAtRest(document: object | undefined): boolean {
  const status: unknown = document === undefined ? undefined : Reflect.get(document, 'status');
  return status === 'stopped' || status === 'failed';
}

/** The volumes that are not gone yet, or not yet known to be. */
export function presentVolumes(mirror: Mirror): readonly VolumeDocument[] {
  return [...mirror.volumes.values()].filter(({ status }) => status !== 'deleted');
}
