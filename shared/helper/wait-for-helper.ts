/**
 * What a session's container runs until the helper has been uploaded into it.
 *
 * @module
 */
import { helperPort } from './address.ts';

/**
 * POSIX, for busybox and dash alike. Kubernetes expands `$(NAME)` in a container's command and turns `$$` into `$`, so the script has
 * neither. A shell that is PID 1 ignores TERM unless it traps it; a kubelet reports an evicted container that ends with 0 as `Succeeded`,
 * hence 143. A short pause while the upload is due, for it is part of every session's start; a longer one later. Where `sleep` takes no
 * fractions it fails at once, and a second has to do.
 */
const SCRIPT = `
trap 'exit 143' TERM
helper="\${BERTH_DIR:-/berth}/bin/helper"
tries=
until [ -x "$helper" ]; do
  if [ "\${#tries}" -lt 500 ]; then
    tries="x$tries"
    sleep 0.02 2>/dev/null || sleep 1
  else
    sleep 0.2 2>/dev/null || sleep 1
  fi
done
exec "$helper" serve --listen "$BERTH_POD_IP:${String(helperPort)},127.0.0.1:${String(helperPort)}" -- "$@"
`.trim();

/** The command of the container: waits for the helper, then becomes it; `command` runs under it. */
export function waitForHelper(command: readonly string[]): readonly string[] {
  return ['sh', '-c', SCRIPT, 'sh', ...command];
}
