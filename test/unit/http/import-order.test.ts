import { expect, it } from 'vitest';

it('describes the schemas of the domains also where they were loaded before the library that describes them', async () => {
  // A schema made before @hono/zod-openapi is loaded does not get its methods, and units import the domains first.
  await import('../../../shared/exec/execute-request.ts');
  await import('../../../shared/sessions/create-request.ts');
  const { openApiDocument } = await import('../../../shared/http/openapi.ts');
  const names = Object.keys(openApiDocument().components?.schemas ?? {});
  expect(names).toEqual(expect.arrayContaining(['CreateSession', 'Execute', 'Session', 'Problem']));
});
