import { describe, expect, it } from 'vitest';
import { ConfigError, parseConfig } from '../../shared/config.ts';

function refusal(env: Record<string, string>): string {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('parseConfig', () => {
  it('needs nothing for the laptop', () => {
    expect(parseConfig({})).toMatchObject({
      port: 8080,
      dataDirectory: '.berth',
      store: { type: 'sqlite' },
      queue: { type: 'local' },
      cluster: { type: 'embedded' },
      defaultUserType: 'normal',
    });
  });

  it('never takes a cluster from an inherited KUBECONFIG', () => {
    expect(parseConfig({ KUBECONFIG: '/home/me/.kube/config' }).cluster).toEqual({ type: 'embedded' });
  });

  it('takes a cluster from BERTH_KUBECONFIG, and GKE from the names that older systems know', () => {
    expect(parseConfig({ BERTH_KUBECONFIG: '/k' }).cluster).toEqual({ type: 'kubeconfig', file: '/k' });
    const gke = { GKE_CLUSTER_NAME: 'c', GKE_CLUSTER_LOCATION: 'europe-west1', GOOGLE_CLOUD_PROJECT: 'p' };
    expect(parseConfig(gke).cluster).toEqual({ type: 'gke', name: 'c', location: 'europe-west1', project: 'p' });
  });

  it('counts an empty variable as absent', () => {
    expect(parseConfig({ PORT: '', BERTH_KUBECONFIG: '' })).toMatchObject({ port: 8080, cluster: { type: 'embedded' } });
  });

  const refused: readonly (readonly [Record<string, string>, string])[] = [
    [{ PORT: 'http' }, 'PORT'],
    [{ PORT: '70000' }, 'PORT'],
    [{ BERTH_STORE: 'mongo' }, 'BERTH_STORE'],
    [{ BERTH_STORE: 'firestore' }, 'GOOGLE_CLOUD_PROJECT'],
    [{ BERTH_QUEUE: 'cloud-tasks' }, 'BERTH_TASKS_QUEUE'],
    [{ BERTH_CLUSTER: 'kubeconfig' }, 'BERTH_KUBECONFIG'],
    [{ GKE_CLUSTER_NAME: 'c' }, 'GKE_CLUSTER_LOCATION'],
    [{ BERTH_INSTALLATION_KEY: 'short' }, 'BERTH_INSTALLATION_KEY'],
    [{ BERTH_NAMESPACE_PREFIX: 'Berth_' }, 'BERTH_NAMESPACE_PREFIX'],
    [{ BERTH_BLOBS: 'cloud-storage' }, 'BERTH_BLOBS_BUCKET'],
    [{ K_SERVICE: 'api' }, 'GKE_CLUSTER_NAME'],
    [{ K_SERVICE: 'api', BERTH_KUBECONFIG: 'f' }, 'BERTH_BLOBS'],
    [{ BERTH_WEBHOOKS_QUEUE: 'mine' }, 'BERTH_WEBHOOKS_QUEUE'],
    [{ BERTH_KUBECONFIG: 'f', BERTH_POD_CHANNEL: 'direct' }, 'BERTH_CONTROL_PLANE_CIDR'],
    [{ BERTH_KUBECONFIG: 'f', BERTH_HELPER_DELIVERY: 'init' }, 'BERTH_HELPER_IMAGE'],
  ];
  for (const [env, name] of refused) {
    it(`names ${name} where it is what is wrong in ${JSON.stringify(env)}`, () => {
      expect(refusal(env)).toMatch(new RegExp(`^${name}: `));
    });
  }
});
