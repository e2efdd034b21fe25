/**
 * The images that this node has: those of the built-in templates and those named in `BERTH_DEV_IMAGES`. They hold no files: each
 * shows the machine's own, with the command and the PATH of the real image. And two that show nothing of the machine:
 * `berth.local/empty`, without any file, and `berth.local/helper`, with the helper alone.
 *
 * @module
 */
import { createHash } from 'node:crypto';

export interface Image {
  /** In full, as a container runtime reports it: `docker.io/library/python:3.11-slim`. */
  readonly name: string;
  readonly id: string;
  /** What runs where the pod names no command. */
  readonly command: readonly string[];
  /** What `args` are given to. */
  readonly entrypoint: readonly string[];
  readonly path: string;
  /** Who it runs as where the pod does not say. */
  readonly uid: number;
  /** What is in it: the machine's programs, nothing, or `/helper`. */
  readonly content: 'machine' | 'nothing' | 'helper';
}

/** Folders inside the sandbox with this process's Node, and with a `python` where the machine has only `python3`. */
export const NODE_FOLDER = '/node/bin';
export const PYTHON_FOLDER = '/python/bin';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  'docker.io/library/python:3.11-slim': ['python3'],
  'docker.io/library/debian:bookworm-slim': ['bash'],
  'docker.io/library/ubuntu:22.04': ['/bin/bash'],
  'docker.io/library/alpine:3.20': ['/bin/sh'],
  'docker.io/library/node:24-slim': ['node'],
};

const OWN: Readonly<Record<string, Pick<Image, 'content' | 'entrypoint'>>> = {
  'berth.local/empty': { content: 'nothing', entrypoint: [] },
  'berth.local/helper': { content: 'helper', entrypoint: ['/helper'] },
};

/** Of `helper:image`, which makes the same for real nodes. */
const OWN_UID = 1000;

/** The image of a pod's container, or `undefined` where no registry of ours has it. `extra`: further names, as a pod writes them. */
export function findImage(reference: string, extra: readonly string[]): Image | undefined {
  const name = canonicalName(reference);
  const id = `sha256:${createHash('sha256').update(name).digest('hex')}`;
  const own = OWN[name.replace(/:[^:/]*$/, '')];
  if (own !== undefined) return { name, id, command: [], path: SYSTEM_PATH, uid: OWN_UID, ...own };
  const command = BUILT_IN[name] ?? (extra.some((item) => canonicalName(item) === name) ? ['/bin/sh'] : undefined);
  if (command === undefined) return undefined;
  // The real node image brings a Node of its own; here it is the one that runs the cluster. The others find what the machine has.
  const path = /\/node:[^/]*$/.test(name) ? `${NODE_FOLDER}:${SYSTEM_PATH}` : `${SYSTEM_PATH}:${PYTHON_FOLDER}`;
  return { name, id, command, entrypoint: [], path, uid: 0, content: 'machine' };
}

/** `python` is `docker.io/library/python:latest`; a first part with a dot, a colon or `localhost` names a registry. */
export function canonicalName(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasRegistry ? reference : `docker.io/${rest.length === 0 ? 'library/' : ''}${reference}`;
  const official = path.replace(/^docker\.io\/(?!.*\/)/, 'docker.io/library/');
  return /[:@][^/]*$/.test(official.slice(official.lastIndexOf('/'))) ? official : `${official}:latest`;
}

/** The grammar of names (https://pkg.go.dev/github.com/distribution/reference): a registry, lower-case parts, a tag, a digest. */
const REFERENCE =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?$/;

/** What a kubelet says of a name that is none; `undefined` where it is one. */
export function invalidName(reference: string): string | undefined {
  if (REFERENCE.test(reference)) return undefined;
  const why = /[A-Z]/.test(reference) ? 'repository name must be lowercase' : 'invalid reference format';
  return `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": ${why}`;
}

/** The words of a container runtime about an image that no registry has, or, in words of ours, that this node cannot run. */
export function pullFailure(reference: string, why?: string): string {
  const name = canonicalName(reference);
  return (
    `Failed to pull image "${reference}": rpc error: code = NotFound desc = failed to pull and unpack image "${name}": ` +
    `failed to resolve reference "${name}": ${name}: ${why ?? 'not found'}`
  );
}
