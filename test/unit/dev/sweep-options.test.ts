import { describe, expect, it } from 'vitest';
import { parseSweepCommand } from '../../../dev/sweep-options.ts';

describe('the command line of npm run sweep', () => {
  it('does one ordinary pass by itself', () => {
    expect(parseSweepCommand([], {})).toMatchObject({ help: false, dryRun: false, full: false, config: { cluster: { type: 'embedded' } } });
  });

  it('takes what to do, and where', () => {
    const command = parseSweepCommand(['--dry-run', '--full', '--kubeconfig', '/k', '--data-dir', '/d'], {});
    expect(command).toMatchObject({
      dryRun: true,
      full: true,
      config: { cluster: { type: 'kubeconfig', file: '/k' }, dataDirectory: '/d' },
    });
  });

  it('refuses what it does not know, with its usage', () => {
    expect(() => parseSweepCommand(['--dryrun'], {})).toThrow(/Usage: npm run sweep/);
    expect(() => parseSweepCommand([], { BERTH_ORPHAN_GRACE_SECONDS: '-1' })).toThrow(/BERTH_ORPHAN_GRACE_SECONDS/);
  });
});
