/**
 * Counters and timings of this process, as `/metrics` shows them.
 *
 * @module
 */
export interface Metrics {
  /** Adds one (or `value`) to the counter. Names and label names are fixed in `metrics.ts`: no user input becomes a label. */
  count(name: CounterName, labels?: Readonly<Record<string, string>>, value?: number): void;
  observe(name: HistogramName, seconds: number, labels?: Readonly<Record<string, string>>): void;
  /** Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/ */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export type CounterName =
  | 'berth_sessions_created_total'
  | 'berth_sessions_ended_total'
  | 'berth_executions_total'
  | 'berth_quota_refusals_total'
  | 'berth_sweep_actions_total'
  | 'berth_helper_channels_opened_total'
  | 'berth_helper_channels_failed_total'
  | 'berth_helper_channels_closed_total'
  | 'berth_http_requests_total'
  | 'berth_session_changes_total'
  | 'berth_events_total'
  | 'berth_webhook_deliveries_total';

export type HistogramName = 'berth_session_start_seconds' | 'berth_execution_seconds' | 'berth_http_request_seconds';
