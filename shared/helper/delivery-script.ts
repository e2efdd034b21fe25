/**
 * The container's half of the conversation by which the helper gets there; the control plane's half is `delivery.ts`.
 *
 * @module
 */

/** How the script ends where it cannot go on; below what shells and signals use. */
export const scriptExits = { folder: 81, cut: 82, write: 83, size: 84, rename: 85 } as const;

export const sayings = { ready: 'berth-helper ready', want: 'berth-helper want ' } as const;

const SCRIPT = `
helper="\${BERTH_DIR:-/berth}/bin/helper"
if [ ! -x "$helper" ]; then
  mkdir -p "\${helper%/*}" || exit ${String(scriptExits.folder)}
  part="$helper.$$"
  trap 'rm -f "$part"' EXIT
  printf '\\n${sayings.want}%s\\n' "$(uname -sm)"
  read -r size || exit ${String(scriptExits.cut)}
  head -c "$size" >"$part" || exit ${String(scriptExits.write)}
  [ $(stat -c %s "$part" 2>/dev/null || wc -c <"$part") -eq "$size" ] || exit ${String(scriptExits.size)}
  { chmod 755 "$part" && mv -f "$part" "$helper"; } || exit ${String(scriptExits.rename)}
  trap - EXIT
fi
printf '\\n${sayings.ready}\\n'
exec "$helper" connect
`.trim();

/**
 * POSIX, and no program that busybox and Debian's smallest image have not.
 *
 * It says `berth-helper want <uname -sm>` where the helper is not there, reads a line with a size and that many bytes, writes them
 * under a name of its own and renames: two uploads at once both end well, and nobody ever sees half a helper. Then it says
 * `berth-helper ready` and becomes `helper connect`. Its words stand on lines of their own, whatever a shell's start-up files print
 * before. Nothing may be sent between the last byte and `ready`: busybox's `head` reads ahead. (`stat` is in no standard, but in both; busybox's
 * `wc` looks at each byte, which takes 45 ms.)
 */
export const deliveryCommand: readonly string[] = ['sh', '-c', SCRIPT, 'sh'];

/** For a pod where an init container has brought the helper: needs no shell. */
export const connectCommand: readonly string[] = ['/berth/bin/helper', 'connect'];
