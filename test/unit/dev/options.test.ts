import { describe, expect, it } from 'vitest';
import { parseStartOptions } from '../../../dev/options.ts';
import { ConfigError } from '../../../shared/config.ts';
import { storeDirectory } from '../../../shared/documents/store-directory.ts';

describe('the command line of npm start', () => {
  it('puts flags over variables', () => {
    const { config } = parseStartOptions(['--port', '9000', '--data-dir', '/d'], { PORT: '8000', BERTH_DATA_DIR: '/e' });
    expect(config).toMatchObject({ port: 9000, dataDirectory: '/d' });
  });

  it('puts the pods on a cluster only where a kubeconfig is named', () => {
    expect(parseStartOptions(['--kubeconfig', '/k'], {}).config.cluster).toEqual({ type: 'kubeconfig', file: '/k' });
    expect(parseStartOptions([], { KUBECONFIG: '/k' }).config.cluster).toEqual({ type: 'embedded' });
  });

  it('refuses a flag it does not know, and shows those it does', () => {
    expect(() => parseStartOptions(['--prot', '1'], {})).toThrow(ConfigError);
    expect(() => parseStartOptions(['--prot', '1'], {})).toThrow(/--kubeconfig FILE/);
  });
});

describe('the store of a cluster', () => {
  it('is the data folder for the embedded one, and a folder of its own for each other', () => {
    const folder = (env: Record<string, string>): string => storeDirectory(parseStartOptions(['--data-dir', '/d'], env).config);
    expect(folder({})).toBe('/d');
    expect(folder({ BERTH_KUBECONFIG: '/k' })).toMatch(/^\/d\/clusters\/[0-9a-f]{12}$/);
    expect(folder({ BERTH_KUBECONFIG: '/k' })).toBe(folder({ BERTH_KUBECONFIG: '/k' }));
    expect(folder({ BERTH_KUBECONFIG: '/k' })).not.toBe(folder({ BERTH_KUBECONFIG: '/other' }));
  });
});
