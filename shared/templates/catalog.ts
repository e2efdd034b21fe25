/**
 * The built-in templates and the resource tiers (design §6, "Answers").
 *
 * @module
 */
import type { ResourceSpec } from '../sessions/model.ts';

export type ResourceTier = 'small' | 'medium' | 'large' | 'xlarge';

/** What a session is made from where the request itself says nothing. */
export interface Template {
  readonly id: string;
  readonly description: string;
  readonly image: string;
  /** Runs under the helper; by `sh -c` where it was given as text. `null` keeps the pod up until it is deleted. */
  readonly command: readonly string[] | null;
  /** TCP ports that the session offers, the first one as `access_url`. */
  readonly ports: readonly number[];
  readonly resource_tier: ResourceTier;
  /** The session has to be ready within this time. */
  readonly start_deadline_seconds: number;
  /** Runs in the pod before it goes, within the grace period. */
  readonly before_stop: readonly string[] | null;
  readonly grace_period_seconds: number;
  /** `null`: a session is never stopped for being idle. */
  readonly idle_timeout_minutes: number | null;
  /** `web`: ports 80 and 443 of the internet; `open`: all of them. */
  readonly egress: 'web' | 'open';
  /** Kubernetes' RuntimeClass, such as `gvisor`; `null` is the cluster's own. */
  readonly runtime_class: string | null;
}

/** Everything but what names a template. */
export const templateDefaults: Omit<Template, 'id' | 'description' | 'image'> = {
  command: null,
  ports: [],
  resource_tier: 'small',
  start_deadline_seconds: 600,
  before_stop: null,
  grace_period_seconds: 10,
  idle_timeout_minutes: null,
  egress: 'web',
  runtime_class: null,
};

function template(id: string, image: string, description: string): Template {
  return { ...templateDefaults, id, image, description };
}

export const defaultTemplateId = 'python';

export const builtInTemplates: readonly Template[] = [
  template('python', 'python:3.11-slim', 'Python 3.11 on Debian'),
  template('base', 'debian:bookworm-slim', 'Debian 12 with nothing added'),
  template('ubuntu', 'ubuntu:22.04', 'Ubuntu 22.04'),
  template('alpine', 'alpine:3.20', 'Alpine 3.20, busybox and musl'),
  template('node', 'node:24-slim', 'Node.js 24 on Debian'),
];

/** A built-in one; `custom-templates.ts` knows the others too. */
export function findTemplate(id: string): Template | undefined {
  return builtInTemplates.find((candidate) => candidate.id === id);
}

/** Requests; limits are twice that. */
export const tierResources: Readonly<Record<ResourceTier, ResourceSpec>> = {
  small: { cpu_requests: '250m', memory_requests: '512Mi', cpu: '500m', memory: '1Gi' },
  medium: { cpu_requests: '500m', memory_requests: '1Gi', cpu: '1', memory: '2Gi' },
  large: { cpu_requests: '1', memory_requests: '2Gi', cpu: '2', memory: '4Gi' },
  xlarge: { cpu_requests: '2', memory_requests: '4Gi', cpu: '4', memory: '8Gi' },
};
