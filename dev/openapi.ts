/**
 * `npm run openapi`: writes `openapi.json` from the routes; with `--check` it only says whether the committed file is what they say.
 *
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openApiDocument } from '../shared/http/openapi.ts';

const file = new URL('../openapi.json', import.meta.url);
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const wanted = `${JSON.stringify(openApiDocument(), null, 2)}\n`;

if (values.check) {
  const committed = await readFile(file, 'utf8').catch(() => '');
  if (committed !== wanted) {
    console.error('openapi.json is not what the routes say: run "npm run openapi" and commit it.');
    process.exitCode = 1;
  }
} else {
  await writeFile(file, wanted);
}
