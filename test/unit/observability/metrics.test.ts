import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../shared/observability/create-metrics.ts';

describe('createMetrics', () => {
  it('counts, one series for each set of labels whatever their order', async () => {
    const metrics = createMetrics();
    metrics.count('berth_sessions_created_total');
    metrics.count('berth_sweep_actions_total', { action: 'delete_pod' }, 3);
    metrics.count('berth_http_requests_total', { method: 'GET', status: '200' });
    metrics.count('berth_http_requests_total', { status: '200', method: 'GET' });
    const { body, contentType } = await metrics.render();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain('# TYPE berth_sessions_created_total counter\nberth_sessions_created_total 1\n');
    expect(body).toContain('berth_sweep_actions_total{action="delete_pod"} 3\n');
    expect(body).toContain('berth_http_requests_total{method="GET",status="200"} 2\n');
  });

  it('writes cumulative buckets, the sum and the count of a histogram', async () => {
    const metrics = createMetrics();
    for (const seconds of [0.004, 0.005, 0.2, 1_000]) metrics.observe('berth_execution_seconds', seconds, { end: 'exited' });
    const { body } = await metrics.render();
    const value = (line: string): string | undefined =>
      body
        .split('\n')
        .find((text) => text.startsWith(`${line} `))
        ?.split(' ')[1];
    expect(value('berth_execution_seconds_bucket{end="exited",le="0.005"}')).toBe('2');
    expect(value('berth_execution_seconds_bucket{end="exited",le="0.25"}')).toBe('3');
    expect(value('berth_execution_seconds_bucket{end="exited",le="100"}')).toBe('3');
    expect(value('berth_execution_seconds_bucket{end="exited",le="+Inf"}')).toBe('4');
    expect(value('berth_execution_seconds_count{end="exited"}')).toBe('4');
    expect(Number(value('berth_execution_seconds_sum{end="exited"}'))).toBeCloseTo(1_000.209);
  });

  it('escapes label values', async () => {
    const metrics = createMetrics();
    metrics.count('berth_quota_refusals_total', { limit: 'a"b\\c\nd' });
    expect((await metrics.render()).body).toContain('berth_quota_refusals_total{limit="a\\"b\\\\c\\nd"} 1\n');
  });

  it('stops making new series at a bound, and goes on counting those it has', async () => {
    const metrics = createMetrics();
    for (let index = 0; index < 3_000; index += 1) metrics.count('berth_executions_total', { end: String(index) });
    metrics.count('berth_executions_total', { end: '0' });
    const { body } = await metrics.render();
    expect(body.match(/^berth_executions_total\{/gm)).toHaveLength(2_000);
    expect(body).toContain('berth_executions_total{end="0"} 2\n');
  });
});
