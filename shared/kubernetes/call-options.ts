/**
 * What a typed call can be told beside its parameters.
 *
 * @module
 */
import type { ConfigurationOptions, RequestContext } from '@kubernetes/client-node';

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** What the body of a patch is; the library takes every patch for a JSON patch. */
  readonly patch?: keyof typeof patchTypes;
}

/**
 * The second argument of a typed call: `core.readNamespacedPod({ name, namespace }, callOptions({ signal }))`.
 *
 * The library has no such parameter, but hands each request to its authentication method before it is sent; ours is in the transport,
 * so the place is free.
 */
export function callOptions({ signal, patch }: CallOptions): ConfigurationOptions {
  const applySecurityAuthentication = (context: RequestContext): void => {
    if (signal !== undefined) context.setSignal(signal);
    if (patch !== undefined) context.setHeaderParam('Content-Type', patchTypes[patch]);
  };
  return { authMethods: { default: { getName: () => 'call options', applySecurityAuthentication } } };
}
