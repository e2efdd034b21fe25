/**
 * What a suite found out: figures with their goals, and the raw samples behind them.
 *
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Interval, median, medianInterval, quantile, ratioInterval, ratioOfMedians, seededRandom } from './statistics.ts';

export interface Figure {
  readonly name: string;
  readonly unit: 'ms' | 'x' | 'MB' | 'MB/s';
  readonly value: number;
  /** 95 %. */
  readonly interval: Interval;
  /** The value must not be above it (`MB/s`: not below). Absent: the figure is there to be read. */
  readonly goal?: number;
  readonly detail: string;
}

export interface SuiteResult {
  readonly figures: readonly Figure[];
  /** Milliseconds by subject. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** What could not be measured, and why. */
  readonly missing?: readonly string[];
}

const SEED = 1;

/** The median of one subject. */
export function medianFigure(name: string, samples: readonly number[], goal?: number): Figure {
  const p95 = quantile(samples, 0.95).toFixed(1);
  const detail = `n ${samples.length}, p95 ${p95} ms`;
  const figure = { name, unit: 'ms' as const, value: median(samples), interval: medianInterval(samples, seededRandom(SEED)), detail };
  return goal === undefined ? figure : { ...figure, goal };
}

/** The median of samples in another unit than time. */
export function amountFigure(name: string, unit: 'MB' | 'MB/s', samples: readonly number[], goal: number): Figure {
  const detail = `n ${samples.length}`;
  return { name, unit, value: median(samples), interval: medianInterval(samples, seededRandom(SEED)), goal, detail };
}

/** The ratio of two subjects that were measured in the same rounds. */
export function ratioFigure(name: string, subject: readonly number[], baseline: readonly number[], goal: number): Figure {
  const value = ratioOfMedians(subject, baseline);
  const interval = ratioInterval(subject, baseline, seededRandom(SEED));
  const detail = `n ${subject.length}, ${median(subject).toFixed(1)} ms / ${median(baseline).toFixed(1)} ms`;
  return { name, unit: 'x', value, interval, goal, detail };
}

/** The figures as lines of a table: value, interval, goal, and whether it is met. */
export function formatFigures(figures: readonly Figure[]): readonly string[] {
  const rows = figures.map(({ name, unit, value, interval, goal, detail }) => {
    const show = (number: number): string => (unit === 'x' ? number.toFixed(3) : number.toFixed(1));
    const verdict = goal === undefined ? '' : judge(value, goal, unit);
    return [name, `${show(value)} ${unit}`, `[${show(interval.low)}, ${show(interval.high)}]`, verdict, detail];
  });
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function judge(value: number, goal: number, unit: Figure['unit']): string {
  const [sign, met] = unit === 'MB/s' ? ['>=', value >= goal] : ['<=', value <= goal];
  return `goal ${sign} ${goal} ${unit}: ${met ? 'met' : 'MISSED'}`;
}

/** Keeps figures and raw samples in `bench/results/`, one file a suite and run; resolves to its path. */
export async function keepResult(suite: string, at: Date, result: SuiteResult): Promise<string> {
  const folder = 'bench/results';
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${at.toISOString().replaceAll(':', '-')}-${suite}.json`);
  await writeFile(file, `${JSON.stringify({ suite, at, node: process.version, ...result }, undefined, 1)}\n`);
  return file;
}
