/**
 * Sessions on a real cluster, against what the same cluster does without Berth: a raw exec stream, `kubectl exec`, and the same pod
 * created by hand.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { newId } from '../shared/ids.ts';
import { connectKubernetes } from '../shared/kubernetes/client.ts';
import type { Kubernetes } from '../shared/kubernetes/port.ts';
import type { BerthProcess } from '../test/fakes/berth-process.ts';
import { bareTwin, rawExec, timeBarePod, untilNamespaceGone, untilPodGone } from './bare-pods.ts';
import { interleave, timed } from './interleave.ts';
import { medianFigure, ratioFigure, type SuiteResult } from './report.ts';
import { type CreatedSession, createSession, deleteSession, execute } from './session-calls.ts';
import type { SuiteOptions } from './suite.ts';
import { withBerth } from './with-berth.ts';

const EXECUTIONS = 200;
const CREATIONS = 20;

interface Rig {
  readonly berth: BerthProcess;
  readonly kubernetes: Kubernetes;
  readonly kubeconfig: string;
  readonly options: SuiteOptions;
}

/** The same shell command three ways into the same pod. */
async function measureExecutions(
  { berth, kubernetes, kubeconfig, options }: Rig,
  session: CreatedSession,
): Promise<Record<'execute' | 'raw' | 'kubectl', number[]>> {
  const { namespace, pod } = session;
  const kubectl = ['--kubeconfig', kubeconfig, 'exec', '--namespace', namespace, pod, '--', 'sh', '-c', 'true'];
  return interleave(
    {
      execute: () => timed(() => execute(berth, session, 'true')),
      raw: () => timed(() => rawExec(kubernetes, namespace, pod)),
      kubectl: () => timed(() => promisify(execFile)('kubectl', kubectl)),
    },
    { rounds: options.rounds ?? EXECUTIONS, warmUp: 5, onRound: (done, of) => options.progress(`executions ${done}/${of}`) },
  );
}

/** From the call that creates to the first command's answer; what a round made is gone before the next one starts. */
async function measureCreations({ berth, kubernetes, options }: Rig, model: CreatedSession): Promise<Record<'session' | 'bare', number[]>> {
  const twin = await bareTwin(kubernetes, model);
  return interleave(
    {
      session: async () => {
        const started = performance.now();
        const session = await createSession(berth);
        await execute(berth, session, 'true');
        const milliseconds = performance.now() - started;
        await deleteSession(berth, session);
        await untilPodGone(kubernetes, session.namespace, session.pod);
        return milliseconds;
      },
      bare: () => timeBarePod(kubernetes, twin),
    },
    { rounds: options.rounds ?? CREATIONS, warmUp: 2, onRound: (done, of) => options.progress(`creations ${done}/${of}`) },
  );
}

/** One session stays all along: executions run in it, its pod is the model of the bare one, and it keeps the namespace in being. */
async function measure(rig: Rig): Promise<SuiteResult> {
  const session = await createSession(rig.berth);
  try {
    const executions = await measureExecutions(rig, session);
    const creations = await measureCreations(rig, session);
    return {
      figures: [
        ratioFigure('execute / raw exec', executions.execute, executions.raw, 0.3),
        ratioFigure('execute / kubectl exec', executions.execute, executions.kubectl, 0.15),
        ratioFigure('create to first answer / bare pod and exec', creations.session, creations.bare, 1.1),
        medianFigure('execute of true', executions.execute),
        medianFigure('create to first answer', creations.session),
      ],
      samples: { ...executions, ...creations },
    };
  } finally {
    await deleteSession(rig.berth, session);
    await untilNamespaceGone(rig.kubernetes, session.namespace);
  }
}

export async function clusterSuite(options: SuiteOptions): Promise<SuiteResult> {
  const { kubeconfig } = options;
  if (kubeconfig === undefined) return { figures: [], samples: {}, missing: ['sessions on a cluster: give --kubeconfig FILE'] };
  // A prefix of its own, for each start is another installation; the namespace goes with its last session.
  const prefix = `bench-${newId().slice(0, 8)}`;
  const env = { BERTH_NAMESPACE_PREFIX: prefix, BERTH_NAMESPACE_LINGER_SECONDS: '0', BERTH_SWEEP_SECONDS: '5' };
  const kubernetes = await connectKubernetes({ type: 'kubeconfig', file: kubeconfig });
  try {
    return await withBerth({ args: ['--kubeconfig', kubeconfig], env }, (berth) => measure({ berth, kubernetes, kubeconfig, options }));
  } finally {
    await kubernetes.close();
  }
}
