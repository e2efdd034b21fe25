// In this order: a schema made before @hono/zod-openapi is loaded does not get its methods, and units import the domains first.
import '../../../shared/exec/execute-request.ts';
import '../../../shared/sessions/create-request.ts';
import { openApiDocument } from '../../../shared/http/openapi.ts';
import { expect, it } from 'vitest';

it('describes the schemas of the domains whichever module is loaded first', () => {
  expect(Object.keys(openApiDocument().components?.schemas ?? {})).toEqual(
    expect.arrayContaining(['CreateSession', 'Execute', 'Session', 'Problem']),
  );
});
