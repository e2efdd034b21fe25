/**
 * For the plain runtime, which no kernel helps: a small process outlives the cluster and ends what that leaves when it dies.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { NODE_VARIABLE, TOOL_PATH } from './scripts.ts';

/** Waits for the end of its input, which is the end of the cluster, then kills until nothing is left. The loop is bounded. */
const REAP = `
cat > /dev/null
round=0
while [ "$round" -lt 200 ]; do
  files=$(grep -lsz -x -F "$BERTH_MARK" /proc/[0-9]*/environ)
  [ -n "$files" ] || exit 0
  for file in $files; do process=\${file#/proc/}; kill -KILL "\${process%/environ}" 2> /dev/null; done
  round=$((round + 1))
done
`;

/** The returned function ends it, and what is left. Nothing happens where there is no `/proc` (macOS). */
export function startReaper(nodeId: string): () => void {
  const child = spawn('/bin/sh', ['-c', REAP], {
    env: { PATH: TOOL_PATH, BERTH_MARK: `${NODE_VARIABLE}=${nodeId}` },
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    // A Ctrl-C at the terminal ends the cluster's group, and must not end this.
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return () => child.stdin.end();
}
