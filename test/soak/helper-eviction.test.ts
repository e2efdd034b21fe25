import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { newId } from '../../shared/ids.ts';
import { expectEviction } from '../fakes/helper-faults.ts';
import { startLife } from '../fakes/life.ts';

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'] ?? '';
/** A kubelet looks at volumes once a minute, and says so a moment later. */
const EVICTED_WITHIN_MS = 5 * 60_000;

describe.skipIf(kubeconfigFile === '')('a session on a real Kubernetes', () => {
  test('that fills its disk is evicted, and says so', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-eviction-'));
    const life = await startLife({
      databaseFile: join(directory, 'berth.db'),
      kubeconfigFile,
      installation: `he-${newId().slice(0, 8)}`,
      env: { BERTH_NAMESPACE_PREFIX: 'eviction' },
    });
    const caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' } as const;
    try {
      const { session } = await life.services.createSession(caller, {}, { waitSeconds: 60 });
      await expectEviction(life, session, EVICTED_WITHIN_MS);
      await life.services.deleteSession(caller, session.id);
      await life.services.sweep();
    } finally {
      await life.end();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
