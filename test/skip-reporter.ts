/**
 * Says in one loud line each what a run has skipped and how to enable it: a suite that silently needs something is never run.
 * `it.skip` and `describe.skipIf` need nothing further; the title names what is missing. A skipped test whose title starts with
 * `SKIPPED:` speaks for itself, and is repeated once, however many suites have it.
 *
 * @module
 */
import { relative } from 'node:path';
import type { Reporter, TestModule, TestSuite, Vitest } from 'vitest/node';

export interface Skipped {
  /** File and titles, joined by ` > `. */
  readonly title: string;
  readonly tests: number;
  /** What the test gave to `context.skip(note)`. */
  readonly note?: string | undefined;
}

/** What a title speaks of, and how a developer gets it. `docs/` and `.ci/run` use the same variables. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/firestore/i, 'set FIRESTORE_EMULATOR_HOST to a Firestore emulator'],
  [/cloud[ -]?tasks/i, 'set CLOUD_TASKS_EMULATOR_HOST to a Cloud Tasks emulator'],
  [/cloud[ -]?storage|gcs/i, 'set STORAGE_EMULATOR_HOST to a Cloud Storage emulator'],
  [/real cluster|real kubernetes|kubeconfig/i, 'set BERTH_TEST_KUBECONFIG to the kubeconfig of a cluster for tests'],
  [/chrom|browser/i, 'set CHROME_BIN to a Chromium'],
  [/kubectl/i, 'install kubectl'],
  [/bwrap|bubblewrap/i, 'install bubblewrap'],
  [/util-linux/i, 'run on Linux with util-linux'],
];

/** The line for one skipped suite or test. */
export function describeSkip({ title, tests, note }: Skipped): string {
  if (title.startsWith('SKIPPED:')) return title;
  const remedy = REMEDIES.find(([pattern]) => pattern.test(title))?.[1];
  const reasons = [note, remedy === undefined ? undefined : `To enable: ${remedy}.`].filter((reason) => reason !== undefined);
  return [`SKIPPED ${tests} ${tests === 1 ? 'test' : 'tests'}: ${title}.`, ...reasons].join(' ');
}

/** The topmost suites of which every test was skipped, and single skipped tests elsewhere. */
function skippedIn(parent: TestModule | TestSuite, path: string): readonly Skipped[] {
  const tests = [...parent.children.allTests()];
  const skipped = tests.filter((test) => test.result().state === 'skipped');
  if (skipped.length === 0) return [];
  const spoken = skipped.filter((test) => test.name.startsWith('SKIPPED:')).map((test) => ({ title: test.name, tests: 1 }));
  if (spoken.length > 0 && spoken.length === skipped.length) return spoken;
  if (skipped.length === tests.length && parent.type === 'suite') return [{ title: path, tests: tests.length }];
  return [...parent.children].flatMap((child): readonly Skipped[] => {
    const title = `${path} > ${child.name}`;
    if (child.type === 'suite') return skippedIn(child, title);
    const result = child.result();
    return result.state === 'skipped' ? [{ title, tests: 1, note: result.note }] : [];
  });
}

export default class SkipReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const root = this.#vitest?.config.root ?? '.';
    // With -t, everything that does not match counts as skipped, and whoever asked for it knows.
    if (this.#vitest?.config.testNamePattern !== undefined) return;
    const skipped = modules.flatMap((module) => skippedIn(module, relative(root, module.moduleId)));
    const lines = new Set(skipped.map(describeSkip));
    if (lines.size > 0) process.stdout.write(`\n${[...lines].join('\n')}\n`);
  }
}
