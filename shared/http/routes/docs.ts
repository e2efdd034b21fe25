/**
 * `/openapi.json` and `/docs`: the interactive documentation, served from our own files. Nothing is asked of any other host.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import type { App, AppDeps } from '../create-app.ts';
import { openApiDocument } from '../openapi.ts';
import { documentationPath } from '../security-headers.ts';

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Berth API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** `validatorUrl: null`: the badge would send the document's address to swagger.io. */
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null, tryItOutEnabled: true });
`;

const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

export function mountDocs(app: App, { config }: AppDeps): void {
  let document: string | undefined;
  app.get('/openapi.json', (c) => {
    document ??= JSON.stringify(openApiDocument());
    return c.body(document, 200, { 'Content-Type': 'application/json' });
  });
  if (!config.docs) return;

  app.get(documentationPath, (c) => c.html(page));
  app.get('/docs/start.js', (c) => c.body(start, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }));
  app.get('/docs/:asset', async (c) => {
    const name = c.req.param('asset');
    const contentType = assets[name];
    if (contentType === undefined) throw new AppError('not_found', 'The documentation has no such file.');
    return c.body(await readAsset(name), 200, { 'Content-Type': contentType, 'Cache-Control': 'public, max-age=86400' });
  });
}

/** From the package as it is installed; an image that was built without it has no `/docs`, and says so. */
async function readAsset(name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
    return new Uint8Array(await readFile(join(folder, name)));
  } catch (error) {
    throw new AppError('not_found', 'The documentation is not installed here; /openapi.json describes the API.', { cause: error });
  }
}
