/**
 * Processes of this machine, as `/proc` shows them.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';

/** Command lines of the processes that name the folder in their arguments or work in it; this process aside. */
export async function processesUsing(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [commandLine, workingFolder] = await Promise.all([
        readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
        readlink(`/proc/${pid}/cwd`).catch(() => ''),
      ]);
      const uses = commandLine.includes(folder) || workingFolder === folder || workingFolder.startsWith(`${folder}/`);
      return uses ? [`${pid} ${commandLine.replaceAll('\0', ' ')}`] : [];
    }),
  );
  return found.flat();
}
