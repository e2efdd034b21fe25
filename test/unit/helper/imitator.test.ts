import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConnection } from '../../../shared/helper/connection.ts';
import { codeOf } from '../../fakes/fake-helper.ts';
import { attacks, floods, imitate, type Imitator } from '../../fakes/imitator.ts';

// The imitator shares this process, so its own buffers and their garbage are counted, too.
const MOST_BYTES = 256 * 1024 * 1024;
const uncaught: unknown[] = [];
const remember = (error: unknown): void => void uncaught.push(error);

beforeAll(() => void process.on('uncaughtException', remember).on('unhandledRejection', remember));
afterAll(() => void process.off('uncaughtException', remember).off('unhandledRejection', remember));

async function ask(
  imitator: Imitator,
): Promise<{ readonly code: string; readonly closed: readonly string[]; readonly grownBytes: number }> {
  const closed: string[] = [];
  const before = process.memoryUsage().rss;
  const connection = openConnection(imitator.stream, { kind: 'exec', answerWithinMs: 300, onClose: (reason) => closed.push(reason.code) });
  const answer = connection.request({ method: 'GET', path: '/health', signal: AbortSignal.timeout(5_000) });
  const code = await answer.then(({ body }) => text(body)).then(() => 'answered', codeOf);
  const grownBytes = process.memoryUsage().rss - before;
  const closedBy = [...closed];
  connection.close();
  imitator.stream.destroy();
  return { code, closed: closedBy, grownBytes };
}

describe('a program that imitates the helper', () => {
  for (const [name, attack] of Object.entries(attacks)) {
    it(`gets cut off, and nothing more: ${name}`, async () => {
      const { code, closed, grownBytes } = await ask(imitate(attack));
      expect(code).toBe('helper_protocol_error');
      expect(closed).toEqual(['helper_protocol_error']);
      expect(grownBytes).toBeLessThan(MOST_BYTES);
      expect(uncaught).toEqual([]);
    });
  }

  for (const [name, flood] of Object.entries(floods)) {
    it(`is not waited for, and costs no memory: ${name}`, async () => {
      const { code, grownBytes } = await ask(imitate(flood));
      expect(['helper_protocol_error', 'helper_connection_lost']).toContain(code);
      expect(grownBytes).toBeLessThan(MOST_BYTES);
      expect(uncaught).toEqual([]);
    });
  }
});
