/**
 * Access from a pod of the cluster itself, by its service account
 * (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterEndpoint } from './access.ts';
import { cacheHeaders } from './cached-headers.ts';

export interface InClusterAccess {
  readonly type: 'in-cluster';
  /** Absent: by the name that every cluster's own DNS and certificate have for it. */
  readonly server?: string;
  /** Where the kubelet mounts the service account. */
  readonly directory?: string;
}

// The kubelet renews the token when a fifth of its life is left, and a token lives ten minutes at least; client-go re-reads each minute, too.
const REREAD_MS = 60_000;

export async function openInCluster(access: InClusterAccess): Promise<ClusterEndpoint> {
  const directory = access.directory ?? '/var/run/secrets/kubernetes.io/serviceaccount';
  const ca = await readFile(join(directory, 'ca.crt'));
  const cached = cacheHeaders(async () => {
    const token = (await readFile(join(directory, 'token'), 'utf8')).trim();
    const readAt = Date.now();
    return { headers: { authorization: `Bearer ${token}` }, renewAt: readAt + REREAD_MS, usableUntil: readAt + 2 * REREAD_MS };
  });
  return { server: access.server ?? 'https://kubernetes.default.svc', tls: { ca }, ...cached };
}
