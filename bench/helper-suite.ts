/**
 * The helper in the pod on a real cluster, by TCP and over a kept exec stream, against raw exec streams of the same API server and the
 * same pod created by hand.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHelpers } from '../shared/create-helpers.ts';
import { createHelperClient, type HelperClient } from '../shared/helper/client.ts';
import type { ChannelMode } from '../shared/helper/pool.ts';
import type { HelperPool } from '../shared/helper/port.ts';
import { newId } from '../shared/ids.ts';
import { systemClock } from '../shared/clock.ts';
import type { SessionDocument } from '../shared/sessions/model.ts';
import { podTarget } from '../shared/sessions/session-helper.ts';
import { startLife, type Life } from '../test/fakes/life.ts';
import { bareTwin, timeBarePod, untilPodGone } from './bare-pods.ts';
import { openEcho, printing, run, runRaw } from './helper-calls.ts';
import { interleave, timed } from './interleave.ts';
import { amountFigure, type Figure, medianFigure, ratioFigure, type SuiteResult } from './report.ts';
import type { SuiteOptions } from './suite.ts';

const BULK_MIB = 256;
const caller = { keyId: 'bench', kind: 'admin' as const, user: 'bench', requestId: 'bench' };

interface Rig {
  readonly life: Life;
  readonly session: SessionDocument;
  readonly options: SuiteOptions;
}

/** The address that pods see of this machine: the one that leads to the API server. */
async function controlPlaneCidr(kubeconfig: string): Promise<string> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const file = new KubeConfig();
  file.loadFromFile(kubeconfig);
  const { hostname, port } = new URL(file.getCurrentCluster()?.server ?? '');
  const socket = connect({ host: hostname, port: Number(port || 443) });
  await once(socket, 'connect');
  const address = socket.localAddress;
  socket.destroy();
  return `${address ?? '127.0.0.1'}/32`;
}

function poolOf({ life }: Rig, podChannel: ChannelMode): HelperPool {
  const { kubernetes, log, metrics } = life.deps;
  return createHelpers({ config: { podChannel }, kubernetes, clock: systemClock, log, metrics });
}

function clientOf({ life, session }: Rig, pool: HelperPool): HelperClient {
  const target = podTarget(life.deps, session, session.pod_uid ?? '');
  return createHelperClient((signal) => pool.channel(target, signal));
}

async function fifty(client: HelperClient): Promise<void> {
  await Promise.all(Array.from({ length: 50 }, () => run(client, ['true'])));
}

/** First command of an instance that does not know the session yet: the channel is opened for it. */
async function firstCommand(rig: Rig): Promise<number> {
  const pool = poolOf(rig, 'exec');
  const client = clientOf(rig, pool);
  const milliseconds = await timed(() => run(client, ['true']));
  await pool.close();
  return milliseconds;
}

async function measureCalls(rig: Rig, direct: HelperClient, exec: HelperClient): Promise<SuiteResult> {
  const kubernetes = await rig.life.deps.kubernetes();
  const { k8s_namespace: namespace, pod_name: pod } = rig.session;
  const raw = (): Promise<number> => timed(() => runRaw(kubernetes, namespace, pod, ['true']));
  const rounds = rig.options.rounds;
  const progress = (what: string) => (done: number, of: number) => rig.options.progress(`${what} ${done}/${of}`);
  const calls = await interleave(
    { direct: () => timed(() => run(direct, ['true'])), exec: () => timed(() => run(exec, ['true'])), raw, first: () => firstCommand(rig) },
    { rounds: rounds ?? 100, warmUp: 5, onRound: progress('commands') },
  );
  // By themselves, as a busy caller has them: beside a raw exec of 60 ms each finds the processors asleep.
  const steady = await interleave(
    { steadyDirect: () => timed(() => run(direct, ['true'])), steadyExec: () => timed(() => run(exec, ['true'])) },
    { rounds: 2 * (rounds ?? 100), warmUp: 10, onRound: progress('commands in a row') },
  );
  const crowds = await interleave(
    { direct50: () => timed(() => fifty(direct)), exec50: () => timed(() => fifty(exec)) },
    { rounds: rounds ?? 30, warmUp: 2, onRound: progress('fifty at once') },
  );
  const bulk = printing(BULK_MIB);
  const bulks = await interleave(
    {
      directBulk: () => timed(() => run(direct, bulk)),
      execBulk: () => timed(() => run(exec, bulk)),
      rawBulk: () => timed(() => runRaw(kubernetes, namespace, pod, bulk)),
    },
    { rounds: rounds ?? 8, warmUp: 1, onRound: progress('bulk') },
  );
  const echo = await openEcho(direct);
  const { keystroke } = await interleave({ keystroke: () => echo.keystroke() }, { rounds: 10 * (rounds ?? 50), warmUp: 10 });
  await echo.close();
  const rates = bulks.directBulk.map((milliseconds) => (BULK_MIB * 2 ** 20) / 1e3 / milliseconds);
  return {
    figures: [
      medianFigure('true over direct', steady.steadyDirect, 3),
      ratioFigure('true over direct / raw exec', calls.direct, calls.raw, 0.1),
      medianFigure('true over a kept exec channel', steady.steadyExec, 8),
      medianFigure('50 at once over direct', crowds.direct50, 150),
      medianFigure('50 at once over an exec channel', crowds.exec50, 150),
      ratioFigure('first command, channel included / raw exec', calls.first, calls.raw, 1.3),
      amountFigure('bulk over direct', 'MB/s', rates, 300),
      // 0.8 of the rate is 1.25 of the time.
      ratioFigure('time of bulk over an exec channel / raw exec stream', bulks.execBulk, bulks.rawBulk, 1.25),
      medianFigure('echo of a keystroke over direct', keystroke, 1),
    ],
    samples: { ...calls, ...steady, ...crowds, ...bulks, keystroke },
  };
}

async function createAndRun({ services }: Life, request: { readonly resource_tier?: 'large' } = {}): Promise<SessionDocument> {
  const { session } = await services.createSession(caller, request, { waitSeconds: 60 });
  const result = await services.execute(caller, session.id, { argv: ['true'] }, AbortSignal.timeout(60_000));
  if (!result.success) throw new Error(JSON.stringify(result));
  return session;
}

/** From the call that creates to the first command's answer; what a round made is gone before the next one starts. */
async function timeSession(life: Life): Promise<number> {
  const started = performance.now();
  const session = await createAndRun(life);
  const milliseconds = performance.now() - started;
  await life.services.deleteSession(caller, session.id);
  await untilPodGone(await life.deps.kubernetes(), session.k8s_namespace, session.pod_name);
  return milliseconds;
}

/** Of the smallest tier, on both sides: it is what a caller gets who asks for nothing. */
async function measureStarts(life: Life, byInit: Life | undefined, options: SuiteOptions): Promise<SuiteResult> {
  const session = await createAndRun(life);
  const kubernetes = await life.deps.kubernetes();
  const twin = await bareTwin(kubernetes, { id: session.id, namespace: session.k8s_namespace, pod: session.pod_name });
  const subjects = { upload: () => timeSession(life), bare: () => timeBarePod(kubernetes, twin) };
  const more = byInit === undefined ? {} : { init: () => timeSession(byInit) };
  const all: Readonly<Record<string, () => Promise<number>>> = { ...subjects, ...more };
  const samples: Record<string, number[]> = await interleave(all, {
    rounds: options.rounds ?? 15,
    warmUp: 1,
    onRound: (done, of) => options.progress(`creations ${done}/${of}`),
  });
  await life.services.deleteSession(caller, session.id);
  const { upload = [], bare = [], init } = samples;
  const figures: Figure[] = [ratioFigure('create to first answer, upload / bare pod and exec', upload, bare, 1.1)];
  if (init !== undefined) figures.push(ratioFigure('create to first answer, init container / bare pod and exec', init, bare, 2.3));
  const missing = init === undefined ? ['sessions by init container: import the image and set BERTH_HELPER_IMAGE'] : [];
  return { figures, samples, missing };
}

export async function helperSuite(options: SuiteOptions): Promise<SuiteResult> {
  const { kubeconfig } = options;
  if (kubeconfig === undefined) return { figures: [], samples: {}, missing: ['the helper on a cluster: give --kubeconfig FILE'] };
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  const env = { BERTH_NAMESPACE_PREFIX: `bench-${newId().slice(0, 8)}`, BERTH_CONTROL_PLANE_CIDR: await controlPlaneCidr(kubeconfig) };
  const world = { databaseFile: join(directory, 'berth.db'), kubeconfigFile: kubeconfig, installation: 'bench' };
  const image = process.env['BERTH_HELPER_IMAGE'];
  const byInit = { BERTH_POD_CHANNEL: 'exec', BERTH_HELPER_DELIVERY: 'init', BERTH_HELPER_IMAGE: image ?? '' };
  // Sessions are timed as they are by default, over exec; the one that stays can be reached both ways.
  const lives = await Promise.all([
    startLife({ ...world, env: { ...env, BERTH_POD_CHANNEL: 'exec' } }),
    startLife({ ...world, env: { ...env, BERTH_POD_CHANNEL: 'direct' } }),
    ...(image === undefined ? [] : [startLife({ ...world, env: { ...env, ...byInit } })]),
  ]);
  const [life, staying, initLife] = lives as [Life, Life, Life | undefined];
  try {
    // Of a tier that does not throttle what is measured: half a processor gives 240 MB/s of output at best.
    const session = await createAndRun(staying, { resource_tier: 'large' });
    const memory = await idleMemoryMb(staying, session);
    const rig = { life: staying, session, options };
    const pools = [poolOf(rig, 'direct'), poolOf(rig, 'exec')] as const;
    const calls = await measureCalls(rig, clientOf(rig, pools[0]), clientOf(rig, pools[1]));
    await Promise.all(pools.map((pool) => pool.close()));
    const starts = await measureStarts(life, initLife, options);
    await staying.services.deleteSession(caller, session.id);
    await staying.services.sweep();
    const idle = amountFigure('memory of an idle helper', 'MB', [memory], 12);
    return {
      figures: [...calls.figures, idle, ...starts.figures],
      samples: { ...calls.samples, ...starts.samples },
      missing: starts.missing ?? [],
    };
  } finally {
    for (const each of lives) await each.end();
    await rm(directory, { recursive: true, force: true });
  }
}

async function idleMemoryMb({ deps }: Life, session: SessionDocument): Promise<number> {
  const target = podTarget(deps, session, session.pod_uid ?? '');
  const client = createHelperClient((signal) => deps.helpers.channel(target, signal));
  return (await client.stats(AbortSignal.timeout(10_000))).helper.memory_bytes / 1e6;
}
