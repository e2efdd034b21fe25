import { describe, expect, it } from 'vitest';
import { sessionHold } from '../../../shared/sessions/admission.ts';
import { sumOfHolds } from '../../../shared/storage/hold.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

describe('what a session holds', () => {
  it('is itself, what its pod requests, and its accelerators', () => {
    const { spec } = sessionDocument();
    expect(sessionHold(spec)).toEqual({ sessions: 1, cpu: 0.25, memory_gb: 0.5 });
    expect(sessionHold({ ...spec, gpu: { type: null, count: 2 } })).toEqual({ sessions: 1, cpu: 0.25, memory_gb: 0.5, gpus: 2 });
  });

  it('is admitted together with its new volumes', () => {
    const volumes = [
      { pvcs: 1, storage_gb: 10 },
      { buckets: 1, storage_gb: 5 },
    ];
    expect(sumOfHolds([{ sessions: 1, cpu: 0.25 }, ...volumes])).toEqual({ sessions: 1, cpu: 0.25, pvcs: 1, buckets: 1, storage_gb: 15 });
  });
});
