/**
 * Access to a GKE cluster by workload identity: an access token of the service account that runs us, the address and the CA from the
 * GKE API (https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters). No keys, no kubeconfig.
 *
 * @module
 */
import { request } from 'undici';
import { z } from 'zod';
import type { ClusterEndpoint } from './access.ts';
import { cacheHeaders, type CachedHeaders } from './cached-headers.ts';
import { KubernetesUnreachable } from './errors.ts';

export interface GkeAccess {
  readonly type: 'gke';
  readonly project: string;
  /** A region or a zone. */
  readonly location: string;
  readonly name: string;
  /** `ip`: the public address, or the private one where there is no public. `dns`: the DNS endpoint, reachable from anywhere by IAM. */
  readonly endpoint?: 'ip' | 'dns';
  /** For tests. */
  readonly containerApi?: string;
  readonly accessToken?: () => Promise<AccessToken>;
}

export interface AccessToken {
  readonly token: string;
  /** Milliseconds of the epoch. */
  readonly expiresAt: number;
}

// The metadata server hands out the same token until five minutes before its end.
const RENEW_BEFORE_MS = 4 * 60_000;
const API_TIMEOUT_MS = 10_000;

/** @throws {KubernetesUnreachable} with the GKE API's words, where the cluster cannot be looked up. */
export async function openGke(access: GkeAccess): Promise<ClusterEndpoint> {
  const accessToken = access.accessToken ?? (await googleAccessToken());
  const cached = cacheHeaders(async () => {
    const { token, expiresAt } = await accessToken();
    return { headers: { authorization: `Bearer ${token}` }, renewAt: expiresAt - RENEW_BEFORE_MS, usableUntil: expiresAt };
  });
  const cluster = await lookUpCluster(access, cached);
  return { ...addressOf(cluster, access), ...cached };
}

async function googleAccessToken(): Promise<() => Promise<AccessToken>> {
  const { GoogleAuth } = await import('google-auth-library');
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  return async () => {
    const client = await auth.getClient();
    const { token } = await client.getAccessToken();
    if (!token) throw new KubernetesUnreachable('Google gave no access token for the credentials of this process.');
    return { token, expiresAt: client.credentials.expiry_date ?? Date.now() + 2 * RENEW_BEFORE_MS };
  };
}

const ClusterAnswer = z.object({
  endpoint: z.string().optional(),
  masterAuth: z.object({ clusterCaCertificate: z.string().optional() }).optional(),
  controlPlaneEndpointsConfig: z.object({ dnsEndpointConfig: z.object({ endpoint: z.string().optional() }).optional() }).optional(),
});
type ClusterAnswer = z.infer<typeof ClusterAnswer>;

async function lookUpCluster(access: GkeAccess, credentials: CachedHeaders, retried = false): Promise<ClusterAnswer> {
  const [project, location, cluster] = [access.project, access.location, access.name].map(encodeURIComponent);
  const path = `/v1/projects/${project ?? ''}/locations/${location ?? ''}/clusters/${cluster ?? ''}`;
  const fields = 'endpoint,masterAuth.clusterCaCertificate,controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint';
  const url = `${access.containerApi ?? 'https://container.googleapis.com'}${path}?fields=${encodeURIComponent(fields)}`;
  const answer = await request(url, { headers: await credentials.headers(), signal: AbortSignal.timeout(API_TIMEOUT_MS) }).catch(
    (error: unknown) => {
      throw new KubernetesUnreachable('The GKE API could not be reached.', { cause: error });
    },
  );
  const text = await answer.body.text();
  if (answer.statusCode === 401 && !retried) {
    credentials.expireHeaders();
    return lookUpCluster(access, credentials, true);
  }
  if (answer.statusCode !== 200) {
    throw new KubernetesUnreachable(`The GKE API refused to describe ${path} (${String(answer.statusCode)}): ${text.slice(0, 1_000)}`);
  }
  return ClusterAnswer.parse(JSON.parse(text));
}

function addressOf(cluster: ClusterAnswer, access: GkeAccess): Pick<ClusterEndpoint, 'server' | 'tls'> {
  if (access.endpoint === 'dns') {
    const name = cluster.controlPlaneEndpointsConfig?.dnsEndpointConfig?.endpoint;
    if (name === undefined) throw new KubernetesUnreachable(`The cluster ${access.name} has no DNS endpoint.`);
    // Its certificate is from a public authority.
    return { server: `https://${name}`, tls: {} };
  }
  const ca = cluster.masterAuth?.clusterCaCertificate;
  if (cluster.endpoint === undefined || ca === undefined) {
    throw new KubernetesUnreachable(`The cluster ${access.name} has no address yet; it is probably still being created.`);
  }
  return { server: `https://${cluster.endpoint}`, tls: { ca: Buffer.from(ca, 'base64') } };
}
