/**
 * Counters and histograms in memory, written out in Prometheus' text format. `prom-client` does the same and much more; it is not used
 * because loading it costs each cold start some 30 ms, a third of what a unit has for everything.
 *
 * @module
 */
import type { CounterName, HistogramName, Metrics } from './metrics.ts';

type Labels = Readonly<Record<string, string>>;

const counterHelp: Readonly<Record<CounterName, string>> = {
  berth_sessions_created_total: 'Sessions that were admitted and created.',
  berth_sessions_ended_total: 'Sessions that ended, by why.',
  berth_executions_total: 'Commands run, by how they ended.',
  berth_quota_refusals_total: 'Requests refused because a limit was reached, by limit.',
  berth_sweep_actions_total: 'What the sweep did to make store and cluster agree.',
  berth_helper_channels_opened_total: 'Channels opened to helpers in pods, by kind.',
  berth_helper_channels_failed_total: 'Channels to helpers that could not be opened, by error.',
  berth_helper_channels_closed_total: 'Channels to helpers that were closed or broke, by kind and error.',
  berth_http_requests_total: 'HTTP requests answered, by route and status.',
  berth_session_changes_total: 'Changes of the status of sessions, each counted once.',
  berth_events_total: 'Events of the document store, by what came of them.',
  berth_webhook_deliveries_total: 'Attempts to deliver to webhooks, by outcome.',
};

/** Upper bounds in seconds. */
const httpBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100];
const startBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600];

const histograms: Readonly<Record<HistogramName, { readonly help: string; readonly buckets: readonly number[] }>> = {
  berth_session_start_seconds: { help: 'From the create request to a ready pod.', buckets: startBuckets },
  berth_execution_seconds: { help: 'How long commands took.', buckets: httpBuckets },
  berth_http_request_seconds: { help: 'From the request to the end of the answer.', buckets: httpBuckets },
};

interface Distribution {
  readonly counts: number[];
  sum: number;
  total: number;
}

/** A bug that made a label out of user input would fill the memory; beyond this many series a metric counts nothing new. */
const MOST_SERIES = 2_000;

export function createMetrics(): Metrics {
  const counters = new Map<CounterName, Map<string, number>>();
  const distributions = new Map<HistogramName, Map<string, Distribution>>();

  return {
    count(name, labels = {}, value = 1) {
      const series = seriesOf(counters, name);
      const key = formatLabels(labels);
      if (!series.has(key) && series.size >= MOST_SERIES) return;
      series.set(key, (series.get(key) ?? 0) + value);
    },
    observe(name, seconds, labels = {}) {
      const series = seriesOf(distributions, name);
      const key = formatLabels(labels);
      if (!series.has(key) && series.size >= MOST_SERIES) return;
      const { buckets } = histograms[name];
      const distribution = series.get(key) ?? { counts: buckets.map(() => 0), sum: 0, total: 0 };
      const bucket = buckets.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) distribution.counts[bucket] = (distribution.counts[bucket] ?? 0) + 1;
      distribution.sum += seconds;
      distribution.total += 1;
      series.set(key, distribution);
    },
    render() {
      const parts = [
        ...[...counters].map(([name, series]) => renderCounter(name, series)),
        ...[...distributions].map(([name, series]) => renderHistogram(name, series)),
      ];
      return Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: parts.join('') });
    },
  };
}

function seriesOf<N, S>(metrics: Map<N, Map<string, S>>, name: N): Map<string, S> {
  const series = metrics.get(name) ?? new Map<string, S>();
  metrics.set(name, series);
  return series;
}

function renderCounter(name: CounterName, series: ReadonlyMap<string, number>): string {
  const lines = [...series].map(([labels, value]) => `${name}${braces(labels)} ${String(value)}\n`);
  return `# HELP ${name} ${counterHelp[name]}\n# TYPE ${name} counter\n${lines.join('')}`;
}

function renderHistogram(name: HistogramName, series: ReadonlyMap<string, Distribution>): string {
  const { help, buckets } = histograms[name];
  const lines = [...series].flatMap(([labels, { counts, sum, total }]) => {
    let upTo = 0;
    const before = labels === '' ? '' : `${labels},`;
    const bucketLines = buckets.map((bound, index) => {
      upTo += counts[index] ?? 0;
      return `${name}_bucket{${before}le="${String(bound)}"} ${String(upTo)}\n`;
    });
    return [
      ...bucketLines,
      `${name}_bucket{${before}le="+Inf"} ${String(total)}\n`,
      `${name}_sum${braces(labels)} ${String(sum)}\n`,
      `${name}_count${braces(labels)} ${String(total)}\n`,
    ];
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${lines.join('')}`;
}

function braces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

/** In the order of their names, so that one set of labels is one series. */
function formatLabels(labels: Labels): string {
  return Object.keys(labels)
    .toSorted()
    .map((name) => `${name}="${escapeValue(labels[name] ?? '')}"`)
    .join(',');
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
