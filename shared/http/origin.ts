/**
 * Where callers reach this Berth, for absolute URLs in answers.
 *
 * @module
 */
import type { Context } from 'hono';
import type { Config } from '../config.ts';

/**
 * The configured URL, else the one of the request itself. Behind Cloud Run the connection is plain HTTP and Google's front says in
 * `X-Forwarded-Proto` what the caller used; nowhere else is that header believed.
 */
export function originOf(c: Context, config: Pick<Config, 'publicUrl' | 'onCloudRun'>): string {
  if (config.publicUrl !== undefined) return config.publicUrl;
  const { protocol, host } = new URL(c.req.url);
  const secure = config.onCloudRun && c.req.header('x-forwarded-proto') === 'https';
  return `${secure ? 'https:' : protocol}//${host}`;
}
