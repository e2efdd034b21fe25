import { describe, expect, it } from 'vitest';
import { findViolations } from '../../../dev/check-imports.ts';

function violationsOf(path: string, ...lines: readonly string[]): readonly string[] {
  return findViolations([{ path, text: `${lines.join('\n')}\n` }]);
}

describe('the one-way import rule', () => {
  it('lets a domain import its ports, its neighbours and the platform', () => {
    expect(
      violationsOf(
        'shared/sessions/create.ts',
        "import { newId } from '../ids.ts';",
        "import type { DocumentStore } from '../documents/port.ts';",
        "import { admit } from '../entitlements/admit.ts';",
        "import { nextState } from './lifecycle.ts';",
      ),
    ).toEqual([]);
  });

  it.each([
    ['shared/sessions/create.ts', '../http/problem.ts', 'domains', 'http'],
    ['shared/documents/sqlite.ts', '../sessions/create.ts', 'ports', 'domains'],
    ['shared/ids.ts', './kubernetes/client.ts', 'platform', 'ports'],
    ['shared/http/create-app.ts', '../../functions/api/index.ts', 'http', 'functions'],
    ['shared/http/create-app.ts', '../../dev/start.ts', 'http', 'dev'],
    ['functions/api/index.ts', '../../dev/start.ts', 'functions', 'dev'],
    ['dev/start.ts', '../test/fakes/clock.ts', 'dev', 'test and bench'],
    ['shared/sessions/model.ts', './create.ts', 'words', 'domains'],
  ])('catches %s importing %s', (path, specifier, from, to) => {
    const violations = violationsOf(path, "import { z } from 'zod';", `import { x } from '${specifier}';`);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatch(new RegExp(`^${path}:2 \\(${from}\\) imports .* \\(${to}\\)`));
  });

  it.each([
    "import type { Problem } from '../http/problem.ts';",
    "export { problem } from '../http/problem.ts';",
    "export * from '../http/problem.ts';",
    "import '../http/problem.ts';",
    "import problem, { type Problem } from '../http/problem.ts';",
    "import {\n  problem,\n  type Problem,\n} from '../http/problem.ts';",
    "  const { problem } = await import('../http/problem.ts');",
    "export type P = import('../http/problem.ts').Problem;",
  ])('sees the import in %j', (line) => {
    expect(violationsOf('shared/sessions/create.ts', line)).toHaveLength(1);
  });

  it('asks for a place in the table for a folder that it does not know', () => {
    expect(violationsOf('shared/utils/strings.ts', '')).toEqual([
      'shared/utils/strings.ts belongs to no layer: name its place in dev/layers.ts',
    ]);
  });
});

describe('the rule of lazy SDKs', () => {
  it.each(['@google-cloud/firestore', '@google-cloud/tasks', '@kubernetes/client-node', 'google-auth-library'])(
    'catches code of %s imported at start',
    (name) => {
      expect(violationsOf('shared/documents/x.ts', `import { A } from '${name}';`)).toHaveLength(1);
      // Under verbatimModuleSyntax this form still imports the module, for its side effects.
      expect(violationsOf('shared/documents/x.ts', `import { type A } from '${name}';`)).toHaveLength(1);
    },
  );

  it('allows types, a dynamic import, the functions framework, and tests', () => {
    expect(violationsOf('shared/documents/x.ts', "import type { Firestore } from '@google-cloud/firestore';")).toEqual([]);
    expect(violationsOf('shared/documents/x.ts', "const sdk = await import('@google-cloud/firestore');")).toEqual([]);
    expect(violationsOf('functions/api/index.ts', "import { http } from '@google-cloud/functions-framework';")).toEqual([]);
    expect(violationsOf('test/contract/x.test.ts', "import { CoreV1Api } from '@kubernetes/client-node';")).toEqual([]);
  });
});

describe('the rule of the environment', () => {
  it('catches shared code that reads process.env', () => {
    expect(violationsOf('shared/config.ts', '// process.env is read elsewhere', 'const port = process.env.PORT;')).toEqual([
      'shared/config.ts:2 reads process.env: only functions/ and dev/ do, configuration is an argument',
    ]);
  });

  it('lets functions, dev, bench and tests read it', () => {
    for (const folder of ['functions', 'dev', 'bench', 'test']) {
      expect(violationsOf(`${folder}/x.ts`, 'const port = process.env.PORT;')).toEqual([]);
    }
  });
});
