/**
 * Pod Security Standards, as far as Linux pods can break them: the checks and the words of the admission plugin. Not checked: SELinux,
 * AppArmor, Windows, hosts in probes and lifecycle hooks, ephemeral containers.
 *
 * @module
 */
import type { V1Container, V1Pod, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { allContainers } from '../validation/pod.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** One broken rule: what it is about and who breaks it how. */
interface Finding {
  readonly rule: string;
  readonly detail: string;
}

type Check = (spec: V1PodSpec) => Finding | undefined;

/** The refusal's text after `violates PodSecurity`, or `undefined` where the pod meets the level. */
export function podSecurityViolation(pod: V1Pod, level: Level, version = 'latest'): string | undefined {
  const spec = pod.spec;
  if (level === 'privileged' || spec === undefined) return undefined;
  const checks = level === 'restricted' ? RESTRICTED : BASELINE;
  const findings = checks.flatMap((check) => check(spec) ?? []);
  if (findings.length === 0) return undefined;
  return `violates PodSecurity "${level}:${version}": ${findings.map(({ rule, detail }) => `${rule} (${detail})`).join(', ')}`;
}

function containersThat(spec: V1PodSpec, holds: (container: V1Container) => boolean): readonly string[] {
  return allContainers(spec)
    .filter(holds)
    .map(({ name }) => name);
}

/** `container "a"`, `containers "a", "b"`. */
function named(one: string, names: readonly string[]): string {
  return `${one}${names.length === 1 ? '' : 's'} ${quoted(names)}`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function finding(rule: string, details: readonly string[]): Finding | undefined {
  return details.length === 0 ? undefined : { rule, detail: details.join('; ') };
}

const hostNamespaces: Check = (spec) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
  return used.length === 0 ? undefined : { rule: 'host namespaces', detail: used.map((name) => `${name}=true`).join(', ') };
};

const privileged: Check = (spec) => {
  const names = containersThat(spec, ({ securityContext }) => securityContext?.privileged === true);
  return finding('privileged', names.length === 0 ? [] : [`${named('container', names)} must not set securityContext.privileged=true`]);
};

const hostPorts: Check = (spec) => {
  const used = allContainers(spec).flatMap(({ ports }) => (ports ?? []).map(({ hostPort = 0 }) => hostPort));
  const names = containersThat(spec, ({ ports }) => (ports ?? []).some(({ hostPort }) => Boolean(hostPort)));
  if (names.length === 0) return undefined;
  const distinct = [...new Set(used.filter((port) => port !== 0))].toSorted((left, right) => left - right);
  return finding('hostPort', [
    `${named('container', names)} use${names.length === 1 ? 's' : ''} hostPort${distinct.length === 1 ? '' : 's'} ${distinct.join(', ')}`,
  ]);
};

const procMount: Check = (spec) => {
  const names = containersThat(spec, ({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default');
  return finding(
    'procMount',
    names.length === 0 ? [] : [`${named('container', names)} must not set securityContext.procMount to "Unmasked"`],
  );
};

const SAFE_SYSCTLS = new Set(
  [
    'kernel.shm_rmid_forced',
    'net.ipv4.ip_local_port_range',
    'net.ipv4.tcp_syncookies',
    'net.ipv4.ping_group_range',
    'net.ipv4.ip_unprivileged_port_start',
  ].concat([
    'net.ipv4.ip_local_reserved_ports',
    'net.ipv4.tcp_keepalive_time',
    'net.ipv4.tcp_fin_timeout',
    'net.ipv4.tcp_keepalive_intvl',
    'net.ipv4.tcp_keepalive_probes',
    'net.ipv4.tcp_rmem',
    'net.ipv4.tcp_wmem',
  ]),
);

const sysctls: Check = (spec) => {
  const unsafe = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !SAFE_SYSCTLS.has(name));
  return finding('forbidden sysctls', unsafe.length === 0 ? [] : [unsafe.join(', ')]);
};

const hostPathVolumes: Check = (spec) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return finding('hostPath volumes', names.length === 0 ? [] : [named('volume', names)]);
};

const BASELINE_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

/** What was added beyond the allowed, by `container "a" must not include "X" in …`. */
function addedCapabilities(spec: V1PodSpec, allowed: ReadonlySet<string>): readonly string[] {
  const added = (container: V1Container): readonly string[] =>
    (container.securityContext?.capabilities?.add ?? []).filter((name) => !allowed.has(name));
  const names = containersThat(spec, (container) => added(container).length > 0);
  const capabilities = [...new Set(allContainers(spec).flatMap(added))].toSorted();
  return names.length === 0
    ? []
    : [`${named('container', names)} must not include ${quoted(capabilities)} in securityContext.capabilities.add`];
}

const baselineCapabilities: Check = (spec) => finding('non-default capabilities', addedCapabilities(spec, BASELINE_CAPABILITIES));

const restrictedCapabilities: Check = (spec) => {
  const keeping = containersThat(spec, ({ securityContext }) => !(securityContext?.capabilities?.drop ?? []).includes('ALL'));
  const dropped = keeping.length === 0 ? [] : [`${named('container', keeping)} must set securityContext.capabilities.drop=["ALL"]`];
  return finding('unrestricted capabilities', [...dropped, ...addedCapabilities(spec, new Set(['NET_BIND_SERVICE']))]);
};

const allowPrivilegeEscalation: Check = (spec) => {
  const names = containersThat(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  return finding(
    'allowPrivilegeEscalation != false',
    names.length === 0 ? [] : [`${named('container', names)} must set securityContext.allowPrivilegeEscalation=false`],
  );
};

const RESTRICTED_VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const volumeTypes: Check = (spec) => {
  const typeOf = (volume: V1Volume): string => Object.keys(volume).find((member) => member !== 'name') ?? 'unknown';
  const wrong = (spec.volumes ?? []).filter((volume) => !RESTRICTED_VOLUMES.has(typeOf(volume)));
  const types = [...new Set(wrong.map(typeOf))].toSorted();
  const names = wrong.map(({ name }) => name);
  if (wrong.length === 0) return undefined;
  return finding('restricted volume types', [
    `${named('volume', names)} use${names.length === 1 ? 's' : ''} ${named('restricted volume type', types)}`,
  ]);
};

const runAsNonRoot: Check = (spec) => {
  const ofPod = spec.securityContext?.runAsNonRoot;
  const details = ofPod === false ? ['pod must not set securityContext.runAsNonRoot=false'] : [];
  const explicit = containersThat(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  if (explicit.length > 0) details.push(`${named('container', explicit)} must not set securityContext.runAsNonRoot=false`);
  if (details.length > 0) return finding('runAsNonRoot != true', details);
  const silent = ofPod === true ? [] : containersThat(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  return finding(
    'runAsNonRoot != true',
    silent.length === 0 ? [] : [`pod or ${named('container', silent)} must set securityContext.runAsNonRoot=true`],
  );
};

const runAsUser: Check = (spec) => {
  const names = containersThat(spec, ({ securityContext }) => securityContext?.runAsUser === 0);
  const who = [...(spec.securityContext?.runAsUser === 0 ? ['pod'] : []), ...(names.length > 0 ? [named('container', names)] : [])];
  return finding('runAsUser=0', who.length === 0 ? [] : [`${who.join(' and ')} must not set runAsUser=0`]);
};

const PROFILES = ['RuntimeDefault', 'Localhost'];

/** The pod and containers that name a profile which is not allowed. */
function wrongProfiles(spec: V1PodSpec): readonly string[] {
  const wrong = (type: string | undefined): type is string => type !== undefined && !PROFILES.includes(type);
  const ofPod = spec.securityContext?.seccompProfile?.type;
  const names = containersThat(spec, ({ securityContext }) => wrong(securityContext?.seccompProfile?.type));
  const types = [ofPod, ...allContainers(spec).map(({ securityContext }) => securityContext?.seccompProfile?.type)].filter(wrong);
  const who = [...(wrong(ofPod) ? ['pod'] : []), ...(names.length > 0 ? [named('container', names)] : [])];
  return who.length === 0
    ? []
    : [`${who.join(' and ')} must not set securityContext.seccompProfile.type to ${quoted([...new Set(types)])}`];
}

const baselineSeccomp: Check = (spec) => finding('seccompProfile', wrongProfiles(spec));

const restrictedSeccomp: Check = (spec) => {
  const wrong = wrongProfiles(spec);
  if (wrong.length > 0) return finding('seccompProfile', wrong);
  const silent =
    spec.securityContext?.seccompProfile === undefined
      ? containersThat(spec, ({ securityContext }) => securityContext?.seccompProfile === undefined)
      : [];
  return finding(
    'seccompProfile',
    silent.length === 0
      ? []
      : [`pod or ${named('container', silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`],
  );
};

/** Where `restricted` has a stricter form of a rule, only that one speaks. */
const BASELINE: readonly Check[] = [
  hostNamespaces,
  privileged,
  baselineCapabilities,
  hostPathVolumes,
  hostPorts,
  procMount,
  baselineSeccomp,
  sysctls,
];
const RESTRICTED: readonly Check[] = [
  hostNamespaces,
  privileged,
  hostPorts,
  procMount,
  sysctls,
  allowPrivilegeEscalation,
  restrictedCapabilities,
  volumeTypes,
  runAsNonRoot,
  runAsUser,
  restrictedSeccomp,
];
