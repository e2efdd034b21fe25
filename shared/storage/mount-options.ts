/**
 * Which mount options of a bucket a caller may set. Pure.
 *
 * Names as the GCS FUSE CSI driver documents them
 * (https://cloud.google.com/kubernetes-engine/docs/reference/cloud-storage-fuse-csi-driver/mounting). An allow-list: the driver hands
 * options on to `gcsfuse`, whose others name files, endpoints, credentials and projects to bill.
 *
 * @module
 */
import { bucketOptions } from '../pods/pod-volumes.ts';

const flags = new Set(['implicit-dirs', 'enable-nonexistent-type-cache', 'enable-atomic-rename-object']);

const number = /^-?[0-9]{1,9}$/;
const mode = /^[0-7]{3,4}$/;
const truth = /^(true|false)$/;

const valued: Readonly<Record<string, RegExp>> = {
  'file-mode': mode,
  'dir-mode': mode,
  'rename-dir-limit': number,
  'max-conns-per-host': number,
  'limit-ops-per-sec': number,
  'limit-bytes-per-sec': number,
  'sequential-read-size-mb': number,
  'client-protocol': /^(http1|http2|grpc)$/,
  read_ahead_kb: number,
  'metadata-cache:ttl-secs': number,
  'metadata-cache:stat-cache-max-size-mb': number,
  'metadata-cache:type-cache-max-size-mb': number,
  'metadata-cache:negative-ttl-secs': number,
  'file-cache:max-size-mb': number,
  'file-cache:cache-file-for-range-read': truth,
  'file-cache:enable-parallel-downloads': truth,
  'file-cache:parallel-downloads-per-file': number,
  'file-cache:max-parallel-downloads': number,
  'file-cache:download-chunk-size-mb': number,
  'file-system:kernel-list-cache-ttl-secs': number,
  'write:enable-streaming-writes': truth,
  'implicit-dirs': truth,
  'logging:severity': /^(trace|debug|info|warning|error|off)$/,
};

/** `a=b` or, as the driver also writes it, `a:b:c`. */
function split(option: string): readonly [string, string | undefined] {
  const equals = option.indexOf('=');
  if (equals >= 0) return [option.slice(0, equals), option.slice(equals + 1)];
  const colon = option.lastIndexOf(':');
  const name = option.slice(0, colon);
  return colon > 0 && Object.hasOwn(valued, name) ? [name, option.slice(colon + 1)] : [option, undefined];
}

function isAllowed(option: string): boolean {
  const [name, value] = split(option);
  if (value === undefined) return flags.has(name);
  return Object.hasOwn(valued, name) && valued[name]?.test(value) === true;
}

/** The options one by one; those that Berth sets anyway are left out. */
export function splitMountOptions(given: string | readonly string[]): readonly string[] {
  const all = (typeof given === 'string' ? [given] : given).flatMap((part) => part.split(',')).map((option) => option.trim());
  return [...new Set(all.filter((option) => option !== '' && !bucketOptions.some((fixed) => fixed === option)))];
}

/** What is wrong with them, in words for their field; `undefined` where nothing is. */
export function mountOptionsFault(options: readonly string[]): string | undefined {
  const refused = options.find((option) => !isAllowed(option));
  return refused === undefined ? undefined : `the option "${refused.slice(0, 60)}" cannot be set here`;
}
