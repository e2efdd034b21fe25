/**
 * A cold start of the bundled `api`: how long its code takes to load, and how long the first session takes to be created, from the
 * start of the process to the answer 201.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { bundleUnit } from '../dev/bundle.ts';
import { type BundledUnit, startBundledUnit } from './bundled-unit.ts';
import { interleave } from './interleave.ts';
import { medianFigure, type SuiteResult } from './report.ts';
import { openBenchQueue } from './bench-queue.ts';
import type { SuiteOptions } from './suite.ts';

const ROUNDS = 30;
// Inside the project, so that the packages outside the bundle are found from there.
const BUNDLES = resolve('bench/results/bundles');

interface Rig {
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
  readonly key: string;
}

/** A key in the store of the bench, made as an operator makes one. */
async function makeKey(env: Readonly<Record<string, string>>): Promise<string> {
  const command = ['dev/keys.ts', 'create', '--kind', 'admin', '--user', 'bench'];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env });
  return stdout.trim();
}

async function timeImport({ entry, env }: Rig): Promise<number> {
  const unit = await startBundledUnit(entry, env);
  await unit.stop();
  return unit.importMs;
}

/** `?wait=0`: what a cold start adds is measured, not how long a pod takes to start. */
async function timeFirstCreate({ entry, env, key }: Rig): Promise<number> {
  const unit = await startBundledUnit(entry, env);
  try {
    await create(unit, key);
    return performance.now() - unit.startedAt;
  } finally {
    await unit.stop();
  }
}

async function create(unit: BundledUnit, key: string): Promise<void> {
  const response = await fetch(`${unit.url}/v1/sessions?wait=0`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ ttl_minutes: 1 }),
  });
  const body = await response.text();
  if (response.status !== 201) throw new Error(`create answered ${response.status}: ${body}`);
}

async function measureImports(rig: Rig, cached: Rig, { rounds = ROUNDS, progress }: SuiteOptions): Promise<SuiteResult> {
  const samples = await interleave(
    { importCached: () => timeImport(cached), import: () => timeImport(rig) },
    { rounds, warmUp: 1, onRound: (done, of) => progress(`imports ${done}/${of}`) },
  );
  return {
    figures: [
      medianFigure('import of the bundled api', samples.import, 100),
      medianFigure('import of the bundled api, compile cache', samples.importCached),
    ],
    samples,
  };
}

async function measureCreates(rig: Rig, cached: Rig, { rounds = ROUNDS, progress }: SuiteOptions): Promise<SuiteResult> {
  const samples = await interleave(
    { createCached: () => timeFirstCreate(cached), create: () => timeFirstCreate(rig) },
    { rounds, warmUp: 1, onRound: (done, of) => progress(`first creates ${done}/${of}`) },
  );
  return {
    figures: [
      medianFigure('process start to first create, compile cache', samples.createCached, 700),
      medianFigure('process start to first create', samples.create),
    ],
    samples,
  };
}

export async function importSuite(options: SuiteOptions): Promise<SuiteResult> {
  await mkdir(BUNDLES, { recursive: true });
  await bundleUnit('api', BUNDLES);
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  const queue = await openBenchQueue(process.env['CLOUD_TASKS_EMULATOR_HOST']);
  const env = {
    PATH: process.env['PATH'] ?? '',
    PORT: '0',
    BERTH_DATA_DIR: directory,
    BERTH_LOG_LEVEL: 'silent',
    BERTH_DEFAULT_USER_TYPE: 'admin',
    BERTH_KUBECONFIG: options.kubeconfig ?? join(directory, 'no-cluster'),
    ...queue.env,
  };
  try {
    const rig = { entry: join(BUNDLES, 'api/index.mjs'), env, key: await makeKey(env) };
    const cached = { ...rig, env: { ...env, NODE_COMPILE_CACHE: join(directory, 'compile-cache') } };
    const imports = await measureImports(rig, cached, options);
    if (!queue.usable)
      return { ...imports, missing: ['process start to first create: set CLOUD_TASKS_EMULATOR_HOST to a Cloud Tasks emulator'] };
    const creates = await measureCreates(rig, cached, options);
    return { figures: [...imports.figures, ...creates.figures], samples: { ...imports.samples, ...creates.samples } };
  } finally {
    await queue.close();
    await rm(directory, { recursive: true, force: true });
  }
}
