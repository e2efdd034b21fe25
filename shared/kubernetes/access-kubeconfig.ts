/**
 * Access by a kubeconfig file: client certificates, tokens, token files, exec plugins, basic authentication.
 * Reading it and running its plugins is the library's part.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { z } from 'zod';
import type { ClusterEndpoint, TlsMaterial } from './access.ts';
import { cacheHeaders, type FreshHeaders } from './cached-headers.ts';

export interface KubeconfigAccess {
  readonly type: 'kubeconfig';
  readonly file: string;
  /** Absent: the file's `current-context`. */
  readonly context?: string;
}

// The library asks its plugins and token files anew when their credential has expired, so a short memory of ours delays nothing for long.
const REMEMBER_MS = 30_000;

/** @throws where the file cannot be read, names no usable context, or asks for a proxy. */
export async function openKubeconfig(access: KubeconfigAccess): Promise<ClusterEndpoint> {
  const { config: first, cluster } = await load(access);
  const { tls, fresh } = await authenticate(first);
  let config = first;
  let refused = false;
  const cached = cacheHeaders(
    async () => {
      // The library keeps a plugin's token until its stated end; only a new configuration asks the plugin again.
      if (refused) ({ config } = await load(access));
      refused = false;
      return (await authenticate(config)).fresh;
    },
    { initial: fresh },
  );
  return {
    server: cluster.server,
    tls,
    headers: () => cached.headers(),
    expireHeaders: () => {
      refused = true;
      cached.expireHeaders();
    },
  };
}

async function load(access: KubeconfigAccess): Promise<{ config: KubeConfig; cluster: Cluster }> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const file = new KubeConfig();
  file.loadFromFile(access.file);
  if (access.context !== undefined) file.setCurrentContext(access.context);
  const cluster = file.getCurrentCluster();
  const user = file.getCurrentUser();
  if (cluster === null || user === null) {
    throw new Error(
      `The kubeconfig ${access.file} has no context "${access.context ?? file.getCurrentContext()}" with a cluster and a user.`,
    );
  }
  // Two ways around one refused connection; silently going direct would be the worse.
  if (cluster.proxyUrl) throw new Error(`The kubeconfig ${access.file} asks for a proxy (proxy-url), which Berth does not support.`);

  const config = new KubeConfig();
  // The library refuses plain HTTP unless TLS checks are off; over plain HTTP there is no TLS to check.
  const plain = cluster.server.startsWith('http:');
  config.loadFromClusterAndUser(plain ? { ...cluster, skipTLSVerify: true } : cluster, await withTokenFile(user, access.file));
  return { config, cluster };
}

const KubeconfigUsers = z.object({
  users: z.array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() })).nullish(),
});

// The library (2.0.1) does not know the field `tokenFile` of a kubeconfig's user, only an authenticator of that name.
async function withTokenFile(user: User, kubeconfig: string): Promise<User> {
  const { loadYaml } = await import('@kubernetes/client-node');
  const { users } = KubeconfigUsers.parse(loadYaml(await readFile(kubeconfig, 'utf8')));
  const tokenFile = users?.find(({ name }) => name === user.name)?.user?.tokenFile;
  if (tokenFile === undefined) return user;
  return { ...user, authProvider: { name: 'tokenFile', config: { tokenFile: resolve(dirname(kubeconfig), tokenFile) } } };
}

async function authenticate(config: KubeConfig): Promise<{ tls: TlsMaterial; fresh: FreshHeaders }> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value).trim();
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const now = Date.now();
  return { tls: tlsMaterial(options), fresh: { headers, renewAt: now + REMEMBER_MS, usableUntil: now + 2 * REMEMBER_MS } };
}

function tlsMaterial(options: RequestOptions): TlsMaterial {
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  return {
    ...(isPem(ca) && { ca }),
    ...(isPem(cert) && { cert }),
    ...(isPem(key) && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  };
}

function isPem(material: unknown): material is string | Buffer {
  return typeof material === 'string' || Buffer.isBuffer(material);
}
