/**
 * What the code in a session does to its helper, on purpose or not, and what its owner sees of it: once, for every cluster.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import type { ExecuteRequest, ExecutionResult } from '../../shared/exec/execute-request.ts';
import { createHelperClient, type HelperClient } from '../../shared/helper/client.ts';
import type { TerminalRecord } from '../../shared/helper/client-terminals.ts';
import { PROTOCOL } from '../../shared/helper/protocol.ts';
import { newId } from '../../shared/ids.ts';
import type { CreateSessionRequest } from '../../shared/sessions/create-request.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { podTarget } from '../../shared/sessions/session-helper.ts';
import { eventually } from '../contract/kubernetes/rig.ts';
import { startLife, type Life } from './life.ts';

export interface FaultyCluster {
  readonly kubeconfigFile: string;
  readonly capabilities: { readonly pidNamespace: boolean; readonly memoryLimit: boolean };
  /** It looks at the size of volumes often enough to wait for. */
  readonly evictsSoon: boolean;
  stop(): Promise<void>;
}

/** Each session has an owner of its own, with limits of their own. */
const callerOf = ({ user }: { readonly user: string }): Caller => ({ keyId: 'k', kind: 'user', user, requestId: 'r' });
const SOON_MS = 20_000;
const soon = (): AbortSignal => AbortSignal.timeout(SOON_MS);
/** From the signal to the container's next start, which the kubelet does at once the first time. */
const RESTARTED_WITHIN_MS = 5_000;
const READERS = 20;
const ECHO_MS = 50;

export function describeHelperFaults(title: string, connect: () => Promise<FaultyCluster>): void {
  describe(title, () => {
    let cluster: FaultyCluster;
    let directory: string;
    let life: Life;
    const sessions: SessionDocument[] = [];

    beforeAll(async () => {
      cluster = await connect();
      directory = await mkdtemp(join(tmpdir(), 'berth-helper-faults-'));
      life = await startLife({
        databaseFile: join(directory, 'berth.db'),
        kubeconfigFile: cluster.kubeconfigFile,
        installation: `hf-${newId().slice(0, 8)}`,
        env: { BERTH_NAMESPACE_PREFIX: 'faults', BERTH_POD_CHANNEL: 'exec' },
      });
    });
    afterAll(async () => {
      await Promise.all(sessions.map((session) => life.services.deleteSession(callerOf(session), session.id)));
      await life.services.sweep();
      await life.end();
      await rm(directory, { recursive: true, force: true });
      await cluster.stop();
    });

    const create = async (request: CreateSessionRequest = {}): Promise<SessionDocument> => {
      const wanted = { resource_spec: { cpu_requests: '10m', cpu: '2', memory_requests: '64Mi', memory: '256Mi' }, ...request };
      const { session } = await life.services.createSession(callerOf({ user: newId() }), wanted, { waitSeconds: 30 });
      sessions.push(session);
      return session;
    };
    const run = (session: SessionDocument, request: ExecuteRequest): Promise<ExecutionResult> =>
      life.services.execute(callerOf(session), session.id, request, soon());
    const clientOf = (session: SessionDocument): HelperClient => {
      const target = podTarget(life.deps, session, session.pod_uid ?? '');
      return createHelperClient((signal) => life.deps.helpers.channel(target, signal));
    };

    describe.concurrent('a program of the session', () => {
      test('that closes its outputs and lives on is waited for', async () => {
        const session = await create();
        const ran = await run(session, { command: 'echo first; exec >&- 2>&-; sleep 0.5; exit 5' });
        expect(ran).toMatchObject({ end: 'exited', returncode: 5, stdout: 'first\n' });
        expect(ran.duration_ms).toBeGreaterThanOrEqual(500);
      });

      test('that forks and forks is ended with all its children at its time limit', async () => {
        const session = await create();
        const many = "trap '' TERM; i=0; while [ $i -lt 300 ]; do sleep 4321987 & i=$((i + 1)); done; echo started; wait";
        const ran = await run(session, { command: many, timeout: 2 });
        expect(ran).toMatchObject({ end: 'timed_out', timed_out: true, stdout: 'started\n' });
        expect(ran.duration_ms).toBeLessThan(2_000 + 3_000);
        const left = await run(session, {
          command: "cat /proc/[0-9]*/stat 2>/dev/null | grep '(sleep)' | cut -d ' ' -f 2,3 | sort | uniq -c",
        });
        expect(left.stdout).toBe('');
      });

      test('that sends KILL to the first process changes nothing', async (context) => {
        if (!cluster.capabilities.pidNamespace) context.skip('this cluster has no pidNamespace');
        const session = await create();
        const before = await clientOf(session).health(soon());
        expect(await run(session, { command: 'kill -9 1; kill -INT $$' })).toMatchObject({ end: 'signaled', returncode: 130 });
        expect(await clientOf(session).health(soon())).toEqual(before);
      });

      test('that sends TERM to the first process restarts the container: 503 meanwhile, then all is well', async (context) => {
        if (!cluster.capabilities.pidNamespace) context.skip('this cluster has no pidNamespace');
        const session = await create();
        const running = run(session, { command: 'sleep 1000' });
        await eventually(async () => (await clientOf(session).stats(soon())).executions === 1, 5_000);
        const killedAt = Date.now();
        const killer = run(session, { command: 'kill -TERM 1; sleep 1000' });
        for (const { end, success } of await Promise.all([running, killer])) {
          expect(success).toBe(false);
          expect(['pod_gone', 'connection_lost']).toContain(end);
        }
        const refusals: unknown[] = [];
        let after: ExecutionResult | undefined;
        while (after === undefined && Date.now() < killedAt + 2 * RESTARTED_WITHIN_MS) {
          after = await run(session, { command: 'echo back' }).catch((error: unknown) => {
            refusals.push(error);
            return undefined;
          });
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        expect(after).toMatchObject({ success: true, stdout: 'back\n' });
        const { started_at } = await clientOf(session).health(soon());
        expect(Date.parse(started_at)).toBeGreaterThan(killedAt);
        expect(Date.parse(started_at)).toBeLessThan(killedAt + RESTARTED_WITHIN_MS);
        for (const error of refusals) expect(error).toMatchObject({ code: 'pod_restarting', retryAfterSeconds: 1 });
        expect(await life.services.getSession(callerOf(session), session.id)).toMatchObject({ status: 'running', generation: 1 });
      });

      test('that fills the memory dies of it alone: the helper and other commands live on', async (context) => {
        if (!cluster.capabilities.memoryLimit) context.skip('this cluster has no memoryLimit');
        const session = await create();
        const before = await clientOf(session).health(soon());
        const other = run(session, { command: 'sleep 3; echo alive' });
        const hungry =
          'import time\nheld = []\nwhile len(held) < 64:\n    held.append(b"x" * (16 << 20))\n    time.sleep(0.02)\nprint("full")';
        expect(await run(session, { argv: ['python3', '-c', hungry] })).toMatchObject({
          end: 'oom_killed',
          returncode: 137,
          success: false,
        });
        expect(await other).toMatchObject({ success: true, stdout: 'alive\n' });
        expect(await clientOf(session).health(soon())).toEqual(before);
        expect((await clientOf(session).stats(soon())).oom_kills).toBeGreaterThan(0);
      });

      test('that never reads its input, beside twenty readers who stand still, slows nobody else', async () => {
        const client = clientOf(await create());
        const abort = new AbortController();
        const timeoutMs = SOON_MS;
        const spec = { timeoutMs, outputLimitBytes: 1 << 30 };
        const unread = client.executions.run(newId(), { argv: ['sleep', '1000'], ...spec }, { stdin: endless(), signal: abort.signal });
        await unread.next();
        const readers = Array.from({ length: READERS }, () =>
          client.executions.run(newId(), { argv: ['yes'], ...spec }, { signal: abort.signal }),
        );
        for (const reader of readers) {
          await reader.next();
          await reader.next();
        }
        const id = newId();
        await client.terminals.create(id, { argv: ['cat'], cols: 80, rows: 24 }, soon());
        const typed = await echoTimes(client, id, 40);
        expect(typed[Math.floor(typed.length / 2)]).toBeLessThan(ECHO_MS);
        abort.abort();
        await Promise.allSettled([unread, ...readers].map((records) => records.next()));
        await client.terminals.end(id, soon());
      });

      test("that takes the helper's place and says garbage is found out, and stays a matter of its own session", async () => {
        const [session, neighbour] = await Promise.all([create(), create()]);
        const script = String.raw`cd /berth/bin && mv helper old && printf '#!/bin/sh\nwhile :; do echo I am the helper, believe me; done\n' >helper && chmod 755 helper`;
        expect(await run(session, { command: script })).toMatchObject({ success: true });
        life.deps.helpers.forget(session.pod_uid ?? '');
        await expect(run(session, { command: 'true' })).rejects.toMatchObject({ code: 'helper_protocol_error' });
        expect(await run(neighbour, { command: 'true' })).toMatchObject({ success: true });
      });

      test('that fills its disk is evicted, and the session says so', async (context) => {
        if (!cluster.evictsSoon) context.skip('SKIPPED: this kubelet looks at volumes once a minute; npm run soak waits for it');
        await expectEviction(life, await create());
      });
    });

    describe.concurrent('a helper of another time', () => {
      test('two protocol numbers older is served', async () => {
        const session = await create({ env: { BERTH_HELPER_PROTOCOL: String(PROTOCOL - 2) } });
        expect(await clientOf(session).health(soon())).toMatchObject({ protocol: PROTOCOL - 2 });
        expect(await run(session, { command: 'echo fine' })).toMatchObject({ success: true, stdout: 'fine\n' });
      });

      test.each([PROTOCOL - 3, PROTOCOL + 1])('that speaks number %i is refused in words', async (protocol) => {
        const session = await create({ env: { BERTH_HELPER_PROTOCOL: String(protocol) } });
        expect(session).toMatchObject({ status: 'failed' });
        expect(session.reason).toContain(`speaks protocol ${String(protocol)}`);
        const direct = createHelperClient((signal) =>
          life.deps.helpers.channel(podTarget(life.deps, session, session.pod_uid ?? ''), signal),
        );
        await expect(direct.health(soon())).rejects.toBeInstanceOf(AppError);
      });
    });
  });
}

/** Fills `/tmp` beyond its GiB and waits for what becomes of the session. */
export async function expectEviction(life: Life, session: SessionDocument, withinMs = 25_000): Promise<void> {
  await life.services.execute(
    callerOf(session),
    session.id,
    { command: 'fallocate -l 1200M /tmp/big || dd if=/dev/zero of=/tmp/big bs=1M count=1200' },
    soon(),
  );
  const look = async (): Promise<SessionDocument> => {
    await life.services.sweep();
    return life.services.getSession(callerOf(session), session.id);
  };
  await eventually(async () => (await look()).status === 'failed', withinMs);
  expect((await look()).reason).toMatch(/Evicted: .*EmptyDir volume "tmp" exceeds the limit/);
}

function endless(): Readable {
  const block = Buffer.alloc(64 * 1024, 'x');
  return new Readable({
    read: function read() {
      this.push(block);
    },
  });
}

/** Milliseconds from a keystroke to its echo, sorted. */
async function echoTimes(client: HelperClient, id: string, count: number): Promise<readonly number[]> {
  const shell = await client.terminals.attach(id, { client: 'typist', mode: 'write', signal: soon() });
  const events = shell.events[Symbol.asyncIterator]();
  await events.next();
  const times: number[] = [];
  for (let typed = 0; typed < count; typed += 1) {
    const from = performance.now();
    await shell.write(Buffer.from('x'));
    const { value } = (await events.next()) as IteratorYieldResult<TerminalRecord>;
    expect(value).toMatchObject({ event: 'output', bytes: Buffer.from('x') });
    times.push(performance.now() - from);
  }
  shell.close();
  return times.toSorted((one, other) => one - other);
}
