import { describe, expect, test } from 'vitest';
import { deliveryFailure } from '../../../shared/helper/delivery-failure.ts';
import type { ExecExit } from '../../../shared/kubernetes/port.ts';

const exited = (exitCode: number): ExecExit => ({ type: 'exited', exitCode });
const failed = (message: string): ExecExit => ({ type: 'failed', reason: 'InternalError', message });
const runc =
  'failed to exec in container: failed to start exec "0af3": OCI runtime exec failed: exec failed: unable to start container process';

describe('a helper that did not get there', () => {
  test.each<[string, ExecExit, string, string]>([
    ['the image has no shell', failed(`${runc}: exec: "sh": executable file not found in $PATH: unknown`), '', 'helper_no_shell'],
    [
      'nobody has brought it',
      failed(`${runc}: exec: "/berth/bin/helper": stat /berth/bin/helper: no such file or directory: unknown`),
      '',
      'helper_undeliverable',
    ],
    ['it is for another machine', failed(`${runc}: exec: "/berth/bin/helper": exec format error`), '', 'helper_undeliverable'],
    ['its folder is read-only', exited(86), "mv: can't rename: Read-only file system", 'helper_undeliverable'],
    ['the disk is full', exited(83), 'head: write error: No space left on device', 'helper_undeliverable'],
    ['it may not be run', exited(126), 'sh: /berth/bin/helper: Permission denied', 'helper_undeliverable'],
    ['the container is between two runs', failed('unable to upgrade connection: container not found ("session")'), '', 'pod_restarting'],
    ['the container has just ended', failed('failed to create exec "0af3": container not created: not found'), '', 'pod_restarting'],
    ['the container is ending', failed('failed to create exec "0af3": task 1d10 not found'), '', 'pod_restarting'],
    ['the container ends', failed('failed to load task: no running task found: not found'), '', 'pod_restarting'],
    [
      'the container ends while the command starts',
      failed(`${runc}: read init-p: connection reset by peer: unknown`),
      '',
      'pod_restarting',
    ],
    ['the container was killed', exited(137), '', 'pod_restarting'],
    ['the container was ended', exited(143), '', 'pod_restarting'],
    ['the runtime is in trouble', failed(`${runc}: open /proc/31/ns/ipc: no such file or directory`), '', 'helper_unreachable'],
    ['the upload was cut', exited(84), '', 'helper_unreachable'],
    ['the helper does not open its socket', exited(1), 'berth-helper: join the helper: no such file or directory', 'helper_unreachable'],
    ['the connection is lost', { type: 'lost', message: 'close code 1006' }, '', 'helper_unreachable'],
  ])('because %s is told by its code', (_why, exit, stderr, code) => {
    expect(deliveryFailure(exit, stderr).code).toBe(code);
  });

  test('says what the container said, as one bounded line that no terminal acts on', () => {
    const { detail } = deliveryFailure(exited(86), `\u001b[31mmv: ${'x'.repeat(5_000)}\nsecond line`);
    expect(detail.length).toBeLessThan(700);
    expect(detail).not.toMatch(/\p{C}/u);
  });
});
