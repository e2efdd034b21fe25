/**
 * Pods that run: what is in them, what the server says of them, and how they end.
 *
 * @module
 */
import { describe, expect, test } from 'vitest';
import { isAlreadyExists, isConflict } from '../../../shared/kubernetes/errors.ts';
import { podState } from '../../../shared/pods/status.ts';
import { buildEnvSecret, type PodInput } from '../../../shared/pods/manifest.ts';
import { newId } from '../../../shared/ids.ts';
import { aDate, containing, matching, notContaining } from './matchers.ts';
import { eventually, isReady } from './rig.ts';
import type { Subject } from './suite.ts';

export function describePods({ rig, shared, needs }: Subject): void {
  describe('a pod', () => {
    test('that is ready says where it is', async () => {
      const { namespace, pod } = shared();
      const read = await rig().kubernetes.core.readNamespacedPod({ namespace, name: pod });
      expect(podState(read, { now: new Date() })).toEqual({
        kind: 'ready',
        uid: read.metadata?.uid,
        podIp: matching(/^\d+\.\d+\.\d+\.\d+$/),
        nodeName: matching(/./),
        restartCount: 0,
      });
      expect(read.status).toMatchObject({ phase: 'Running', qosClass: 'Burstable' });
      expect(read.status?.containerStatuses?.[0]).toMatchObject({
        name: 'session',
        ready: true,
        started: true,
        state: { running: { startedAt: aDate } },
      });
    });

    test('of the same name is refused', async () => {
      const { namespace, pod } = shared();
      const body = rig().podBody(namespace, { sessionId: pod.replace('berth-', '') });
      expect(isAlreadyExists(await rig().refusal(rig().kubernetes.core.createNamespacedPod({ namespace, body })))).toBe(true);
    });

    test('is found by its session, its phase, and across namespaces', async () => {
      const { core } = rig().kubernetes;
      const { pod } = shared();
      const labelSelector = `berth.dev/installation=${rig().installation},berth.dev/session=${pod.replace('berth-', '')}`;
      const names = async (fieldSelector: string) =>
        (await core.listPodForAllNamespaces({ labelSelector, fieldSelector })).items.map(({ metadata }) => metadata?.name);
      expect(await names('status.phase=Running')).toEqual([pod]);
      expect(await names('status.phase!=Running')).toEqual([]);
    });

    test('runs as user 1000 and nobody else, with nothing to escalate by', async () => {
      const { stdout } = await rig().sh(
        shared().namespace,
        shared().pod,
        'id -u; id -g; grep -E "NoNewPrivs|CapEff|CapBnd" /proc/self/status | tr -d "\\t"',
      );
      expect(stdout.split('\n').slice(0, 2)).toEqual(['1000', '1000']);
      expect(stdout).toContain('NoNewPrivs:1');
      expect(stdout).toContain('CapEff:0000000000000000');
    });

    test('holds no credentials of the cluster and no addresses of its services', async () => {
      const { stdout } = await rig().sh(shared().namespace, shared().pod, 'ls /var/run/secrets/kubernetes.io 2>&1; env');
      expect(stdout).toContain('No such file');
      expect(stdout.match(/^\w+_SERVICE_HOST=/gm)?.filter((name) => !name.startsWith('KUBERNETES_')) ?? []).toEqual([]);
    });

    test('sees no processes but its own', async (context) => {
      needs(context, 'pidNamespace');
      const { stdout } = await rig().sh(
        shared().namespace,
        shared().pod,
        'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null; true',
      );
      expect(stdout).toContain('trap');
      expect(stdout).not.toMatch(/kubelet|containerd|vitest|node /);
    });

    test('has a workspace of its own that is its home, and a /tmp, both writable; the rest of the system is not its to change', async (context) => {
      needs(context, 'sandbox');
      const { namespace, pod } = shared();
      const { stdout, exit } = await rig().sh(
        namespace,
        pod,
        'pwd; echo $HOME; echo 1 > file && echo 2 > /tmp/file && cat /workspace/file /tmp/file; touch /etc/x 2>/dev/null || echo denied',
      );
      expect([stdout, exit]).toEqual(['/workspace\n/workspace\n1\n2\ndenied\n', { type: 'exited', exitCode: 0 }]);
      const other = await rig().start(namespace);
      expect((await rig().sh(namespace, other, 'ls -A /tmp /workspace')).stdout).toBe('/tmp:\n\n/workspace:\n');
    });

    test('has the environment of its session, its own values before those of the caller, and every value to the letter', async () => {
      const { namespace } = shared();
      const sessionId = newId();
      const env = { TOKEN: 'a $(HOME) $$ b\n"c"', HOME: '/elsewhere', EMPTY: '' };
      const input: Partial<PodInput> = { sessionId, user: 'ali$(ce)@$$', workspaceId: 'w 1', envNames: Object.keys(env) };
      await rig().kubernetes.core.createNamespacedSecret({
        namespace,
        body: buildEnvSecret({ ...secretInput, sessionId, kubernetesNamespace: namespace, installation: rig().installation }, env),
      });
      const pod = await rig().start(namespace, input);
      const { stdout } = await rig().run(namespace, pod, ['python3', '-c', 'import os, json; print(json.dumps(dict(os.environ)))']);
      expect(JSON.parse(stdout)).toMatchObject({
        SESSION_ID: sessionId,
        WORKSPACE_ID: 'w 1',
        NAMESPACE: 'contract',
        USER: 'ali$(ce)@$$',
        USER_ID: 'ali$(ce)@$$',
        BUCKET_NAME: 'contract-bucket',
        TOKEN: env.TOKEN,
        EMPTY: '',
        HOME: notContaining('elsewhere'),
      });
    });

    test('logs what its own command prints, the end of it or the beginning, also while it runs', async () => {
      const { namespace } = shared();
      const pod = await rig().start(namespace, {
        command: [
          'sh',
          '-c',
          'for i in 1 2 3; do echo line $i; done; echo err >&2; trap "exit 143" TERM; while :; do sleep 60 & wait $!; done',
        ],
      });
      const log = (options: object = {}) =>
        rig().kubernetes.core.readNamespacedPodLog({ namespace, name: pod, container: 'session', ...options });
      await eventually(async () => (await log()).split('\n').length === 5);
      expect((await log()).split('\n').toSorted()).toEqual(['', 'err', 'line 1', 'line 2', 'line 3']);
      expect((await log({ tailLines: 1 })).split('\n')).toHaveLength(2);
      expect(await log({ limitBytes: 6 })).toHaveLength(6);
      expect(await rig().refusalStatus(log({ previous: true }))).toMatchObject({
        code: 400,
        message: containing('previous terminated container'),
      });
    });

    test('leaves events that tell what was done for it', async () => {
      const { namespace, pod } = shared();
      const list = () =>
        rig().kubernetes.core.listNamespacedEvent({ namespace, fieldSelector: `involvedObject.kind=Pod,involvedObject.name=${pod}` });
      await eventually(async () => (await list()).items.some(({ reason }) => reason === 'Started'));
      const { items } = await list();
      expect(items.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['Scheduled', 'Pulled', 'Created', 'Started']));
      expect(items.every(({ involvedObject }) => involvedObject.name === pod)).toBe(true);
    });

    test('that is told to end starts again in place, with its files, and is the same pod', async () => {
      const { namespace } = shared();
      const pod = await rig().start(namespace);
      const before = await rig().kubernetes.core.readNamespacedPod({ namespace, name: pod });
      await rig().sh(namespace, pod, 'echo kept > "$HOME/file"');
      await rig().sh(namespace, pod, 'kill -TERM 1');
      const after = await rig().waitForPod(
        namespace,
        pod,
        (now) => isReady(now) && (now.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0,
      );
      expect(after.metadata?.uid).toBe(before.metadata?.uid);
      expect(after.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 143 });
      expect((await rig().sh(namespace, pod, 'cat "$HOME/file"')).stdout).toBe('kept\n');
    });

    test('that is deleted is told to end, ends at once, and is gone', async () => {
      const { namespace } = shared();
      const pod = await rig().start(namespace);
      const deleted = await rig().kubernetes.core.deleteNamespacedPod({ namespace, name: pod });
      expect(deleted.metadata?.deletionTimestamp).toBeInstanceOf(Date);
      expect(deleted.metadata?.deletionGracePeriodSeconds).toBe(10);
      await rig().waitForPodGone(namespace, pod, 8_000);
    });

    test('that ignores being told to end is gone after its grace period', async () => {
      const { namespace } = shared();
      const pod = await rig().start(namespace, { command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] });
      const deleted = await rig().kubernetes.core.deleteNamespacedPod({ namespace, name: pod, gracePeriodSeconds: 1 });
      expect(deleted.metadata?.deletionGracePeriodSeconds).toBe(1);
      await rig().waitForPodGone(namespace, pod, 8_000);
    });

    test('is spared by a delete for another uid', async () => {
      const { namespace, pod } = shared();
      const uid = '00000000-0000-0000-0000-000000000000';
      expect(
        isConflict(
          await rig().refusal(rig().kubernetes.core.deleteNamespacedPod({ namespace, name: pod, body: { preconditions: { uid } } })),
        ),
      ).toBe(true);
    });
  });
}

const secretInput: PodInput = {
  installation: '',
  sessionId: '',
  generation: 1,
  user: 'contract',
  namespace: 'contract',
  kubernetesNamespace: '',
  bucketName: '',
  image: '',
  resources: { requests: { cpu: '', memory: '' }, limits: { cpu: '', memory: '' } },
  workspaceSizeGib: 1,
  envNames: [],
  activeDeadlineSeconds: 1,
  helper: { hasSecret: false },
};
