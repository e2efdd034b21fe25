/**
 * The calls that the suites make to a running Berth. Every one throws with the answer's own words where it is not the expected one.
 *
 * @module
 */
import type { BerthProcess } from '../test/fakes/berth-process.ts';

export interface CreatedSession {
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
}

async function call(berth: BerthProcess, method: string, path: string, status: number, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await berth.call(method, path, body);
  if (answer.status === status) return answer.body;
  throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

function text(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new TypeError(`the answer has no ${name}: ${JSON.stringify(body)}`);
  return value;
}

/** Creates a session and waits until it runs. */
export async function createSession(berth: BerthProcess): Promise<CreatedSession> {
  const body = await call(berth, 'POST', '/v1/sessions', 201, {});
  if (body['status'] !== 'running') throw new Error(`the session is ${JSON.stringify(body['status'])}: ${JSON.stringify(body['reason'])}`);
  return { id: text(body, 'id'), namespace: text(body, 'k8s_namespace'), pod: text(body, 'pod_name') };
}

/** Runs a command that must succeed. */
export async function execute(berth: BerthProcess, session: CreatedSession, command: string): Promise<void> {
  const body = await call(berth, 'POST', `/v1/sessions/${session.id}/execute`, 200, { command });
  if (body['success'] !== true) throw new Error(`"${command}" failed: ${JSON.stringify(body)}`);
}

export async function deleteSession(berth: BerthProcess, session: CreatedSession): Promise<void> {
  await call(berth, 'DELETE', `/v1/sessions/${session.id}`, 200);
}
