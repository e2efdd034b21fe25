/**
 * What every answer tells a browser: do not guess types, do not frame, run nothing.
 *
 * @module
 */
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { Config } from '../config.ts';

type Policy = NonNullable<NonNullable<Parameters<typeof secureHeaders>[0]>['contentSecurityPolicy']>;

const nothing: Policy = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/** The one page there is. swagger-ui sets its styles from its scripts and embeds its icons as `data:`; all else comes from here. */
const documentation: Policy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

export const documentationPath = '/docs';

/** Sends Strict-Transport-Security on Cloud Run alone: a laptop has no TLS. */
export function securityHeaders({ onCloudRun }: Pick<Config, 'onCloudRun'>): MiddlewareHandler {
  const headersWith = (contentSecurityPolicy: Policy): MiddlewareHandler =>
    secureHeaders({ contentSecurityPolicy, strictTransportSecurity: onCloudRun, xFrameOptions: 'DENY', xXssProtection: false });
  const usual = headersWith(nothing);
  const page = headersWith(documentation);
  return (c, next) => (c.req.path === documentationPath ? page(c, next) : usual(c, next));
}
