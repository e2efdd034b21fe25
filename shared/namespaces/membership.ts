/**
 * Who may use a namespace and who needs it: pure steps on its document, run inside the transactions of the sessions.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';
import type { NamespaceDocument } from './model.ts';

export interface Joining {
  readonly namespace: string;
  readonly k8sNamespace: string;
  readonly user: string;
  /** Absent where a volume alone is made. */
  readonly sessionId?: string;
  /** New ones in it. */
  readonly volumeIds?: readonly string[];
  /** Something in the namespace is shared with the user, which lets them in even where the namespace itself is not. */
  readonly invited?: boolean;
}

function marked(ids: readonly string[]): Readonly<Record<string, true>> {
  return Object.fromEntries(ids.map((id) => [id, true] as const));
}

/** Sessions and volumes keep a namespace. */
export function isNeeded(namespace: Pick<NamespaceDocument, 'sessions' | 'volumes'>): boolean {
  return Object.keys(namespace.sessions).length > 0 || Object.keys(namespace.volumes ?? {}).length > 0;
}

function mayJoin(present: NamespaceDocument, { user, invited = false }: Joining): boolean {
  return present.owner === user || invited || present.grants?.[user] === 'write';
}

/**
 * The document with the session in it. A name that nobody needs any more changes hands: its Kubernetes namespace is then released and
 * built anew, so that nothing of the owner before is in it. Throws `AppError` `namespace_taken`.
 */
export function joinNamespace(present: NamespaceDocument | undefined, joining: Joining, now: Date): NamespaceDocument {
  const session = marked(joining.sessionId === undefined ? [] : [joining.sessionId]);
  const volumes = marked(joining.volumeIds ?? []);
  if (present === undefined) {
    return {
      namespace: joining.namespace,
      owner: joining.user,
      k8s_namespace: joining.k8sNamespace,
      state: 'active',
      sessions: session,
      volumes,
      emptied_at: null,
      k8s_uid: null,
      objects_digest: null,
      created_at: now.toISOString(),
    };
  }
  if (mayJoin(present, joining)) {
    const guests = present.owner === joining.user ? {} : ({ has_guests: true } as const);
    return {
      ...present,
      ...guests,
      sessions: { ...present.sessions, ...session },
      volumes: { ...present.volumes, ...volumes },
      emptied_at: null,
    };
  }
  if (isNeeded(present)) {
    throw new AppError('namespace_taken', `The namespace "${joining.namespace}" belongs to another user.`, {
      errors: [{ path: 'namespace', message: 'choose another name, or leave it out to use your own namespace' }],
    });
  }
  const { has_guests: _guests, ...home } = present;
  return {
    ...home,
    owner: joining.user,
    state: 'releasing',
    sessions: session,
    volumes,
    grants: {},
    emptied_at: null,
    objects_digest: null,
    created_at: now.toISOString(),
  };
}

/**
 * The namespace as it counts for the access to one session or volume: as long as that lies in it. What has left it is none of a later
 * owner's business.
 */
export function hostOf(namespace: NamespaceDocument | undefined, id: string): NamespaceDocument | undefined {
  const lies = namespace !== undefined && (Object.hasOwn(namespace.sessions, id) || Object.hasOwn(namespace.volumes ?? {}, id));
  return lies ? namespace : undefined;
}

/** The document without the session. */
export function leaveNamespace(present: NamespaceDocument, sessionId: string, now: Date): NamespaceDocument {
  if (present.sessions[sessionId] === undefined) return present;
  const { [sessionId]: _left, ...sessions } = present.sessions;
  return emptied({ ...present, sessions }, now);
}

/** The document without the volume, or the snapshot (`snapshot-<id>`). */
export function forgetVolume(present: NamespaceDocument, volumeId: string, now: Date): NamespaceDocument {
  if (present.volumes?.[volumeId] === undefined) return present;
  const { [volumeId]: _gone, ...volumes } = present.volumes;
  return emptied({ ...present, volumes }, now);
}

function emptied(namespace: NamespaceDocument, now: Date): NamespaceDocument {
  return { ...namespace, emptied_at: isNeeded(namespace) ? null : now.toISOString() };
}

/** Whether the namespace has been empty for so long that its Kubernetes namespace may go. */
export function mayRelease(namespace: NamespaceDocument, lingerSeconds: number, now: Date): boolean {
  if (isNeeded(namespace)) return false;
  if (namespace.state === 'releasing' || namespace.emptied_at === null) return true;
  return now.getTime() - Date.parse(namespace.emptied_at) >= lingerSeconds * 1000;
}
