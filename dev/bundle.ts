/**
 * `npm run bundle`: one folder per deployable unit, `dist/<unit>/index.mjs` and the chunks that it loads lazily.
 * `npm run bundle -- api` bundles the named ones.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Metafile, type Plugin, build } from 'esbuild';

const UNITS = ['api', 'tasks', 'sweep', 'events', 'shell'] as const;

/**
 * Not bundled: the framework looks for its own files, the Google SDKs for their .proto files and package.json, `/docs` for its assets; and
 * google-auth-library is CommonJS, of which a lazily loaded chunk has only a default export.
 */
const EXTERNAL = [
  '@google-cloud/functions-framework',
  '@google-cloud/firestore',
  '@google-cloud/storage',
  '@google-cloud/tasks',
  'google-auth-library',
  'swagger-ui-dist',
];

/** CommonJS dependencies call `require` for Node's own modules, which an ES module does not have. */
const BANNER = "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** Messages are English: zod brings forty languages, a quarter of what a cold start reads. */
const englishAlone: Plugin = {
  name: 'english-alone',
  setup(bundle) {
    bundle.onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

/**
 * Bundles one unit into `<outputFolder>/<unit>` and resolves to esbuild's account of what went where. What is imported dynamically
 * becomes a chunk of its own, so that a cold start reads only what its first request needs.
 */
export async function bundleUnit(unit: string, outputFolder: string): Promise<Metafile> {
  const folder = join(outputFolder, unit);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    entryPoints: [`functions/${unit}/index.ts`],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    keepNames: true,
    sourcemap: 'external',
    legalComments: 'linked',
    external: EXTERNAL,
    banner: { js: BANNER },
    plugins: [englishAlone],
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  for (const unit of wanted.length > 0 ? wanted : UNITS.filter((name) => existsSync(`functions/${name}/index.ts`))) {
    const started = performance.now();
    const { outputs } = await bundleUnit(unit, 'dist');
    const sizes = Object.entries(outputs).filter(([path]) => path.endsWith('.mjs'));
    const entry = sizes.find(([, output]) => output.entryPoint !== undefined)?.[1].bytes ?? 0;
    const total = sizes.reduce((sum, [, output]) => sum + output.bytes, 0);
    const kilobytes = (bytes: number): string => `${Math.round(bytes / 1000)} kB`;
    console.log(`dist/${unit}: ${kilobytes(entry)} at start, ${kilobytes(total)} in all, ${Math.round(performance.now() - started)} ms`);
  }
}
