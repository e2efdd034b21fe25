import { describe, expect, it } from 'vitest';
import { describeSkip } from '../../skip-reporter.ts';

describe('the line about what was skipped', () => {
  it('names the suite, the number of its tests and the variable that enables it', () => {
    expect(describeSkip({ title: 'test/contract/documents.test.ts > on the Firestore emulator', tests: 41 })).toBe(
      'SKIPPED 41 tests: test/contract/documents.test.ts > on the Firestore emulator. ' +
        'To enable: set FIRESTORE_EMULATOR_HOST to a Firestore emulator.',
    );
  });

  it('repeats the note of a test that skipped itself', () => {
    expect(describeSkip({ title: 'test/e2e/fork.test.ts > a fork bomb', tests: 1, note: 'no cgroups here' })).toBe(
      'SKIPPED 1 test: test/e2e/fork.test.ts > a fork bomb. no cgroups here',
    );
  });

  it('leaves a title that speaks for itself as it is', () => {
    const title = 'SKIPPED: the document contract on Firestore. Set FIRESTORE_EMULATOR_HOST.';
    expect(describeSkip({ title, tests: 1 })).toBe(title);
  });

  it.each([
    ['pods on the real cluster', 'BERTH_TEST_KUBECONFIG'],
    ['the Cloud Tasks emulator', 'CLOUD_TASKS_EMULATOR_HOST'],
    ['Cloud Storage', 'STORAGE_EMULATOR_HOST'],
    ['in a browser', 'CHROME_BIN'],
    ['by kubectl', 'install kubectl'],
    ['in bubblewrap', 'install bubblewrap'],
  ])('tells how to enable "%s"', (title, remedy) => {
    expect(describeSkip({ title, tests: 2 })).toContain(remedy);
  });
});
