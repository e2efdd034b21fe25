/**
 * The built-in templates and the resource tiers (design §6, "Answers").
 *
 * @module
 */
import type { ResourceSpec } from '../sessions/model.ts';

export interface Template {
  readonly id: string;
  readonly description: string;
  readonly image: string;
  /** The session has to be ready within this time. */
  readonly start_deadline_seconds: number;
}

const START_DEADLINE_SECONDS = 600;

function template(id: string, image: string, description: string): Template {
  return { id, image, description, start_deadline_seconds: START_DEADLINE_SECONDS };
}

export const defaultTemplateId = 'python';

export const builtInTemplates: readonly Template[] = [
  template('python', 'python:3.11-slim', 'Python 3.11 on Debian'),
  template('base', 'debian:bookworm-slim', 'Debian 12 with nothing added'),
  template('ubuntu', 'ubuntu:22.04', 'Ubuntu 22.04'),
  template('alpine', 'alpine:3.20', 'Alpine 3.20, busybox and musl'),
  template('node', 'node:24-slim', 'Node.js 24 on Debian'),
];

export function findTemplate(id: string): Template | undefined {
  return builtInTemplates.find((candidate) => candidate.id === id);
}

/** Requests; limits are twice that. */
export const tierResources: Readonly<Record<'small' | 'medium' | 'large' | 'xlarge', ResourceSpec>> = {
  small: { cpu_requests: '250m', memory_requests: '512Mi', cpu: '500m', memory: '1Gi' },
  medium: { cpu_requests: '500m', memory_requests: '1Gi', cpu: '1', memory: '2Gi' },
  large: { cpu_requests: '1', memory_requests: '2Gi', cpu: '2', memory: '4Gi' },
  xlarge: { cpu_requests: '2', memory_requests: '4Gi', cpu: '4', memory: '8Gi' },
};
