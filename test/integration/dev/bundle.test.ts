import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleUnit } from '../../../dev/bundle.ts';
import { LAZY_PACKAGES } from '../../../dev/layers.ts';

/** The chunks that Node reads before the unit's first line runs. */
function readAtStart(metafile: Metafile, path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const found of metafile.outputs[path]?.imports ?? []) {
    if (found.kind === 'import-statement' && found.external !== true) readAtStart(metafile, found.path, seen);
  }
  return seen;
}

function packageOf(input: string): string {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? 'berth';
}

describe.each(['api', 'tasks', 'sweep', 'events'])('the bundle of %s', (unit) => {
  let folder: string;
  let metafile: Metafile;
  let entry: string;

  beforeAll(async () => {
    // Inside the project: the packages that stay outside the bundle are found from there.
    folder = await mkdtemp(join('node_modules', '.bundle-test-'));
    metafile = await bundleUnit(unit, folder);
    entry = join(folder, unit, 'index.mjs');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('starts at index.mjs and has a source map for every chunk', () => {
    const chunks = Object.keys(metafile.outputs).filter((path) => path.endsWith('.mjs'));
    expect(chunks).toContain(entry);
    expect(chunks.filter((path) => !existsSync(path) || !existsSync(`${path}.map`))).toEqual([]);
  });

  it('reads none of the SDKs at start', () => {
    const atStart = [...readAtStart(metafile, entry)].flatMap((path) => {
      const output = metafile.outputs[path];
      const bundled = Object.keys(output?.inputs ?? {}).map(packageOf);
      const external = (output?.imports ?? []).filter((found) => found.external === true && found.kind === 'import-statement');
      return [...bundled, ...external.map((found) => found.path)];
    });
    expect(atStart).toContain('berth');
    expect(atStart).toContain('hono');
    expect([...new Set(atStart)].filter((name) => LAZY_PACKAGES.test(name))).toEqual([]);
  });

  it('loads no CommonJS package lazily: bundled, such a chunk has a default export and none of the names', () => {
    const lazy = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.filter((found) => found.kind === 'dynamic-import' && found.external !== true).map((found) => found.path),
    );
    const nameless = lazy.filter((path) => metafile.outputs[path]?.exports.join() === 'default');
    expect(nameless.map((path) => metafile.outputs[path]?.entryPoint)).toEqual([]);
    expect(lazy.length).toBeGreaterThan(0);
  });

  it('has the Kubernetes client in a chunk of its own', () => {
    const holders = Object.entries(metafile.outputs).filter(
      ([path, output]) =>
        path.endsWith('.mjs') && Object.keys(output.inputs).some((input) => packageOf(input) === '@kubernetes/client-node'),
    );
    expect(holders.length).toBeGreaterThan(0);
    expect(holders.map(([path]) => basename(path))).not.toContain('index.mjs');
  });
});
