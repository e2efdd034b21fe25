/**
 * How long a create is left to the request that made it, before its task or the sweep take it up.
 *
 * @module
 */
import type { SessionSpec } from './model.ts';

/** Values of `env` exist in the creating request alone; it stays for so long until they are in their Secret, however short its `wait`. */
export const PREPARE_MS = 30_000;
export const SAFETY_NET_MS = 10_000;

/** A task that came while the values are still on their way would find none, and end the session as interrupted. */
export function creatingGraceMs(spec: Pick<SessionSpec, 'env_names'>): number {
  return spec.env_names.length > 0 ? PREPARE_MS + 5000 : SAFETY_NET_MS;
}
