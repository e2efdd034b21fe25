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
  readonly sessionId: string;
}

/**
 * The document with the session in it. A name that nobody needs any more changes hands: its Kubernetes namespace is then released and
 * built anew, so that nothing of the owner before is in it. Throws `AppError` `namespace_taken`.
 */
export function joinNamespace(present: NamespaceDocument | undefined, joining: Joining, now: Date): NamespaceDocument {
  const session = { [joining.sessionId]: true } as const;
  if (present === undefined) {
    return {
      namespace: joining.namespace,
      owner: joining.user,
      k8s_namespace: joining.k8sNamespace,
      state: 'active',
      sessions: session,
      emptied_at: null,
      k8s_uid: null,
      objects_digest: null,
      created_at: now.toISOString(),
    };
  }
  if (present.owner === joining.user) return { ...present, sessions: { ...present.sessions, ...session }, emptied_at: null };
  if (Object.keys(present.sessions).length > 0) {
    throw new AppError('namespace_taken', `The namespace "${joining.namespace}" belongs to another user.`, {
      errors: [{ path: 'namespace', message: 'choose another name, or leave it out to use your own namespace' }],
    });
  }
  return {
    ...present,
    owner: joining.user,
    state: 'releasing',
    sessions: session,
    emptied_at: null,
    objects_digest: null,
    created_at: now.toISOString(),
  };
}

/** The document without the session. */
export function leaveNamespace(present: NamespaceDocument, sessionId: string, now: Date): NamespaceDocument {
  if (present.sessions[sessionId] === undefined) return present;
  const { [sessionId]: _left, ...sessions } = present.sessions;
  return { ...present, sessions, emptied_at: Object.keys(sessions).length === 0 ? now.toISOString() : null };
}

/** Whether the namespace has been empty for so long that its Kubernetes namespace may go. */
export function mayRelease(namespace: NamespaceDocument, lingerSeconds: number, now: Date): boolean {
  if (Object.keys(namespace.sessions).length > 0) return false;
  if (namespace.state === 'releasing' || namespace.emptied_at === null) return true;
  return now.getTime() - Date.parse(namespace.emptied_at) >= lingerSeconds * 1000;
}
