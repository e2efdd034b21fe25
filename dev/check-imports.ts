/**
 * Holds the imports of the whole tree to `layers.ts`. Run by `npm run check`; prints one line per violation.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { DEPLOYED, LAYERS, LAZY_PACKAGES, READERS_OF_ENVIRONMENT } from './layers.ts';
import { listSources } from './list-sources.ts';

export interface SourceFile {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly specifier: string;
  readonly kind: 'static' | 'type' | 'dynamic';
  readonly line: number;
}

// The formatter puts every static import at the start of a line; comments and templates are indented or start otherwise.
const STATIC_IMPORT = /^(?:import|export)\s+(type\s)?(?:[\w*{][^'";]*?\sfrom\s*)?['"]([^'"]+)['"]/gm;
// Also the type import('x').Y; both may name a lazy package.
const DYNAMIC_IMPORT = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(text: string): readonly Import[] {
  const lineAt = (index: number): number => text.slice(0, index).split('\n').length;
  const found: Import[] = [];
  for (const match of text.matchAll(STATIC_IMPORT)) {
    found.push({ specifier: match[2] ?? '', kind: match[1] === undefined ? 'static' : 'type', line: lineAt(match.index) });
  }
  for (const match of text.matchAll(DYNAMIC_IMPORT)) {
    found.push({ specifier: match[1] ?? '', kind: 'dynamic', line: lineAt(match.index) });
  }
  return found;
}

function layerOf(path: string): number {
  const named = LAYERS.findIndex((layer) => layer.paths.includes(path));
  return named >= 0 ? named : LAYERS.findIndex((layer) => layer.paths.some((entry) => entry.endsWith('/') && path.startsWith(entry)));
}

function startsWithOneOf(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(folder));
}

function checkImport(file: SourceFile, found: Import): string | undefined {
  const { specifier } = found;
  if (!specifier.startsWith('.')) {
    const eager = found.kind === 'static' && LAZY_PACKAGES.test(specifier) && startsWithOneOf(file.path, DEPLOYED);
    return eager ? `imports ${specifier} at start: use "import type", or await import() where it is first needed` : undefined;
  }
  const target = posix.join(posix.dirname(file.path), specifier);
  const [from, to] = [layerOf(file.path), layerOf(target)];
  if (to <= from) return undefined;
  return `(${LAYERS[from]?.name}) imports ${target} (${LAYERS[to]?.name}): imports go to the same layer or a lower one`;
}

function environmentReads(file: SourceFile): readonly string[] {
  if (startsWithOneOf(file.path, READERS_OF_ENVIRONMENT)) return [];
  return file.text.split('\n').flatMap((line, index) => {
    const isComment = /^\s*(?:\*|\/\/|\/\*)/.test(line);
    return !isComment && /\bprocess\.env\b/.test(line)
      ? [`${file.path}:${index + 1} reads process.env: only functions/ and dev/ do, configuration is an argument`]
      : [];
  });
}

/** Every breach of the rules of `layers.ts`, one readable line each; a file outside all layers is one, too. */
export function findViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    if (layerOf(file.path) < 0) return [`${file.path} belongs to no layer: name its place in dev/layers.ts`];
    const imports = importsOf(file.text).flatMap((found) => {
      const problem = checkImport(file, found);
      return problem === undefined ? [] : [`${file.path}:${found.line} ${problem}`];
    });
    return [...imports, ...environmentReads(file)];
  });
}

if (import.meta.main) {
  const paths = await listSources(['functions', 'shared', 'dev', 'bench', 'test']);
  const files = await Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, 'utf8') })));
  const violations = findViolations(files);
  for (const violation of violations) console.error(violation);
  console.log(`${files.length} files, ${violations.length} violations of the import rules`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
