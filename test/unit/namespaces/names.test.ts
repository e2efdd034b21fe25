import { describe, expect, it } from 'vitest';
import { bucketName, kubernetesNamespace, ownNamespace } from '../../../shared/namespaces/names.ts';

describe('the Kubernetes namespace', () => {
  it('of a chosen name is that name with the prefix', () => {
    expect(kubernetesNamespace('berth', 'i1', 'team')).toBe('berth-team');
  });

  it('of a user is another one in each installation, and fits into a name', () => {
    const long = ownNamespace('somebody.with.a.very.long.name@a-very-long-domain.example.com');
    for (const namespace of [ownNamespace('local'), ownNamespace('Älice'), long]) {
      const names = ['i1', 'i2'].map((installation) => kubernetesNamespace('berth', installation, namespace));
      expect(new Set(names).size).toBe(2);
      for (const name of names) expect(name).toMatch(/^berth-u-[a-z0-9-]{1,56}$/);
    }
  });
});

describe('the bucket of a namespace', () => {
  it('is another one in each installation, and fits into a name', () => {
    const names = ['i1', 'i2'].map((installation) => bucketName(installation, `berth-${'x'.repeat(57)}`));
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/);
  });
});
