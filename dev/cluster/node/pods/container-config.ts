/**
 * What a container runs: its command, environment and user, from the manifest, the image and the objects that it refers to.
 *
 * @module
 */
import type { V1ConfigMap, V1Container, V1EnvVarSource, V1Pod, V1Secret } from '@kubernetes/client-node';
import type { Image } from '../images.ts';
import type { User } from '../runtime/port.ts';
import { expandVariables } from './expand.ts';

/** Objects of the pod's namespace, as they are now. */
export interface References {
  secret(name: string): V1Secret | undefined;
  configMap(name: string): V1ConfigMap | undefined;
}

export interface ContainerConfig {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user: User;
}

/** The container cannot be described yet: `CreateContainerConfigError`, with the words of the kubelet. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** Throws `ConfigError`. */
export function resolveConfig(pod: V1Pod, container: V1Container, image: Image, references: References): ContainerConfig {
  const user = resolveUser(pod, container, image.uid);
  const environment = resolveEnvironment(pod, container, image, user, references);
  const { command = [], args = [] } = container;
  // A command replaces both of the image's; arguments replace its command alone.
  const rest = args.length > 0 || command.length > 0 ? args : image.command;
  return {
    command: [...(command.length > 0 ? command : image.entrypoint), ...rest].map((part) => expandVariables(part, environment)),
    environment,
    directory: container.workingDir === undefined || container.workingDir === '' ? '/' : container.workingDir,
    user,
  };
}

/** The machine's images all run as root, as the real ones do, so a pod that must not has to say as whom instead. */
export function resolveUser(pod: V1Pod, container: V1Container, imageUid = 0): User {
  const context = { ...pod.spec?.securityContext, ...dropAbsent(container.securityContext) };
  const uid = context.runAsUser ?? imageUid;
  if (context.runAsNonRoot === true && uid === 0) {
    const where = `(pod: "${pod.metadata?.name}_${pod.metadata?.namespace}(${pod.metadata?.uid})", container: ${container.name})`;
    throw new ConfigError(
      context.runAsUser === undefined
        ? `container has runAsNonRoot and image will run as root ${where}`
        : `container's runAsUser breaks non-root policy ${where}`,
    );
  }
  const fsGroup = pod.spec?.securityContext?.fsGroup;
  const groups = [...(pod.spec?.securityContext?.supplementalGroups ?? []), ...(fsGroup === undefined ? [] : [fsGroup])];
  return { uid, gid: context.runAsGroup ?? 0, groups };
}

function dropAbsent<T extends object>(object: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(object ?? {}).filter(([, value]) => value !== undefined && value !== null)) as Partial<T>;
}

function resolveEnvironment(
  pod: V1Pod,
  container: V1Container,
  image: Image,
  { uid }: User,
  references: References,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: image.path, HOSTNAME: pod.metadata?.name ?? '', HOME: uid === 0 ? '/root' : '/' };
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const values = {
      ...(configMapRef && configMapValues(references, configMapRef.name ?? '', configMapRef.optional)),
      ...(secretRef && secretValues(references, secretRef.name ?? '', secretRef.optional)),
    };
    for (const [name, value] of Object.entries(values)) environment[prefix + name] = value.toString();
  }
  // Only what stands before a variable is put into it, so each sees those above it.
  for (const { name, value, valueFrom } of container.env ?? []) {
    const found = valueFrom ? valueOf(pod, container, valueFrom, references) : expandVariables(value ?? '', environment);
    if (found !== undefined) environment[name] = found;
  }
  return environment;
}

function valueOf(
  pod: V1Pod,
  container: V1Container,
  { secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef }: V1EnvVarSource,
  references: References,
): string | undefined {
  const namespace = pod.metadata?.namespace ?? '';
  if (secretKeyRef) {
    const { name = '', key, optional } = secretKeyRef;
    return keyOf(secretValues(references, name, optional), key, optional, `couldn't find key ${key} in Secret ${namespace}/${name}`);
  }
  if (configMapKeyRef) {
    const { name = '', key, optional } = configMapKeyRef;
    return keyOf(configMapValues(references, name, optional), key, optional, `couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (fieldRef) return fieldOf(pod, fieldRef.fieldPath);
  if (resourceFieldRef) {
    const [kind = '', name = ''] = resourceFieldRef.resource.split('.');
    return container.resources?.[kind === 'requests' ? 'requests' : 'limits']?.[name] ?? '0';
  }
  return undefined;
}

function keyOf(values: Readonly<Record<string, Buffer>>, key: string, optional: boolean | undefined, problem: string): string | undefined {
  const value = values[key];
  if (value === undefined && optional !== true) throw new ConfigError(problem);
  return value?.toString();
}

/** Throws `ConfigError` where the Secret is missing and not optional. */
export function secretValues(references: References, name: string, optional = false): Readonly<Record<string, Buffer>> {
  const secret = references.secret(name);
  if (secret === undefined && !optional) throw new ConfigError(`secret "${name}" not found`);
  return Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

/** Throws `ConfigError` where the ConfigMap is missing and not optional. */
export function configMapValues(references: References, name: string, optional = false): Readonly<Record<string, Buffer>> {
  const configMap = references.configMap(name);
  if (configMap === undefined && !optional) throw new ConfigError(`configmap "${name}" not found`);
  const text = Object.entries(configMap?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(configMap?.binaryData ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const);
  return Object.fromEntries([...text, ...binary]);
}

/** The fields that the downward API offers to variables. */
function fieldOf(pod: V1Pod, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata?.[keyed[1] === 'labels' ? 'labels' : 'annotations']?.[keyed[2] ?? ''] ?? '';
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': pod.metadata?.name,
    'metadata.namespace': pod.metadata?.namespace,
    'metadata.uid': pod.metadata?.uid,
    'spec.nodeName': pod.spec?.nodeName,
    'spec.serviceAccountName': pod.spec?.serviceAccountName,
    'status.hostIP': pod.status?.hostIP,
    'status.hostIPs': pod.status?.hostIP,
    'status.podIP': pod.status?.podIP,
    'status.podIPs': pod.status?.podIP,
  };
  const value = fields[path];
  if (value === undefined) throw new ConfigError(`field path not supported: ${path}`);
  return value;
}
