/**
 * The constant shell programs between us and a command. No input is ever part of a program: commands and environments travel in
 * variables (`BERTH_ARGUMENT_0`), which are never parsed again.
 *
 * What runs before privileges are dropped has an environment of ours alone: a pod that sets `LD_PRELOAD` must not reach it.
 *
 * @module
 */

/** For every tool on the way into a container. */
export const TOOL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** In the environment of our processes, with the node's id as value: how a later start finds what an earlier one left. */
export const NODE_VARIABLE = 'BERTH_CLUSTER_NODE';

/**
 * On the machine, before anything else: ends if the cluster died before its death signal was set (its parent is then another), and
 * joins the control groups, so that nothing of the container ever runs outside them. The tools on the way complain into the report
 * (descriptor 3), not into the container's output, which waits as descriptor 5.
 */
export const ENTER = `
[ -z "$BERTH_PARENT" ] || [ "$PPID" = "$BERTH_PARENT" ] || exit 1
exec 5>&2 2>&3
for file in $BERTH_CONTROL_GROUPS; do echo 0 > "$file" || exit 1; done
export BERTH_MONITOR=$$
exec "$@"
`;

/**
 * As PID 1 of the new namespaces: builds the root on a fresh tmpfs. Seen from the machine, PID 1 has a number and the monitor as its
 * parent: where that is gone already, no death signal will come.
 */
const BUILD = `
set -ef
umask 022
read -r pid name state parent rest < /proc/self/stat
[ "$parent" = "$BERTH_MONITOR" ] || exit 1
echo "pid $pid" >&3
hostname "$BERTH_HOSTNAME" || :
mount -t tmpfs -o mode=755,nosuid,nodev,size=16m tmpfs "$BERTH_ROOT"
cd "$BERTH_ROOT"
cp -a "$BERTH_SKELETON/." .
IFS='
'
[ -z "$BERTH_DIRECTORIES" ] || mkdir -p $BERTH_DIRECTORIES
for file in $BERTH_FILES; do : >> "$file"; done
mount -a -T "$BERTH_TABLE"
for line in $BERTH_READ_ONLY; do mount -o "remount,bind,\${line%%:*}" "\${line#*:}"; done
unset IFS
`;

/** Builds the root and turns into it. The old root is unmounted, so nothing that is not in the mount table can be reached. */
export const BUILD_ROOT = `${BUILD}
pivot_root . .
umount -l .
mount -o remount,bind,ro,nosuid,nodev /
exec "$@"
`;

/** Builds a root with no program in it: what comes after the turn is `helper launch`'s work, and so is the turn itself. */
export const BUILD_EMPTY_ROOT = `${BUILD}
mount -o remount,bind,ro,nosuid,nodev "$BERTH_ROOT"
cd /
exec "$@"
`;

/**
 * Inside, without privileges: finds the command as a container runtime does, reports `started` or why not, and becomes it.
 * `env -i` sets the container's environment, whose names a shell could not all export. Under a terminal the outputs are that already.
 */
const LAUNCH = `
[ -n "$BERTH_TERMINAL" ] || exec 2>&5
exec 4>&- 5>&-
ulimit -c 0
set -f
fail() { echo "failed $1" >&3; exit 127; }
cd -- "$BERTH_DIRECTORY" 2> /dev/null || fail directory
found=
case $BERTH_ARGUMENT_0 in
  */*) found=$BERTH_ARGUMENT_0; [ -e "$found" ] || fail absent ;;
  ?*)
    IFS=:
    for folder in $BERTH_PATH; do
      if [ -f "$folder/$BERTH_ARGUMENT_0" ] && [ -x "$folder/$BERTH_ARGUMENT_0" ]; then found=$folder/$BERTH_ARGUMENT_0; break; fi
    done
    unset IFS ;;
esac
[ -n "$found" ] || fail missing
{ [ ! -d "$found" ] && [ -x "$found" ]; } || fail denied
set --
n=0
while [ "$n" -lt "$BERTH_VARIABLES" ]; do eval "set -- \\"\\$@\\" \\"\\$BERTH_VARIABLE_$n\\""; n=$((n + 1)); done
case $BERTH_ARGUMENT_0 in
  *=*) set -- "$@" /bin/sh -c 'exec "$0" "$@"' ;;
esac
n=0
while [ "$n" -lt "$BERTH_ARGUMENTS" ]; do eval "set -- \\"\\$@\\" \\"\\$BERTH_ARGUMENT_$n\\""; n=$((n + 1)); done
echo started >&3
exec env -i -- "$@" 3>&-
`;

export interface LaunchOptions {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly terminal: boolean;
}

/** The variables that `LAUNCH` reads, and `helper launch` in its place. */
export function launchVariables({ command, environment, directory, terminal }: LaunchOptions): Record<string, string> {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return {
    BERTH_DIRECTORY: directory,
    BERTH_PATH: environment['PATH'] ?? TOOL_PATH,
    BERTH_TERMINAL: terminal ? '1' : '',
    BERTH_ARGUMENTS: String(command.length),
    BERTH_VARIABLES: String(variables.length),
    ...Object.fromEntries(command.map((value, index) => [`BERTH_ARGUMENT_${index}`, value])),
    ...Object.fromEntries(variables.map((value, index) => [`BERTH_VARIABLE_${index}`, value])),
  };
}

/** Where a container has the machine's helper, read-only: it makes terminals, and is the last step into an image without a shell. */
export const HELPER_PATH = '/dev/berth-helper';

/** The descriptor by which `helper tty` learns of its size. */
export const RESIZE_DESCRIPTOR = 4;

/** The arguments that run `LAUNCH`; where the path of a helper is given, in a terminal of its own, which that makes. */
export function shellLauncher(terminalHelper?: string): readonly string[] {
  const launcher = ['/bin/sh', '-c', LAUNCH];
  return terminalHelper === undefined ? launcher : [terminalHelper, 'tty', '--resize-fd', String(RESIZE_DESCRIPTOR), '--', ...launcher];
}
