/**
 * Which trace a request belongs to.
 *
 * @module
 */
export interface Trace {
  readonly trace: string;
  readonly span: string;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/;
const CLOUD_TRACE = /^([0-9a-fA-F]{32})\/([0-9]{1,20})/;

/**
 * From `traceparent` (https://www.w3.org/TR/trace-context/), else from Google's `X-Cloud-Trace-Context`, whose span is decimal. Anything
 * else is nobody's trace.
 */
export function readTrace(traceparent: string | undefined, cloudTrace: string | undefined): Trace | undefined {
  const [, trace, span] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (trace !== undefined && span !== undefined && !/^0+$/.test(trace)) return { trace, span };
  const [, cloudId, decimal] = CLOUD_TRACE.exec(cloudTrace ?? '') ?? [];
  if (cloudId === undefined || decimal === undefined) return undefined;
  return { trace: cloudId.toLowerCase(), span: BigInt(decimal).toString(16).padStart(16, '0') };
}
