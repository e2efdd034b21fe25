import { expect, it } from 'vitest';
import { amountFigure, formatFigures, medianFigure, ratioFigure } from '../../../bench/report.ts';

it('takes a rate that is below its goal for missed', () => {
  expect(formatFigures([amountFigure('bulk', 'MB/s', [250, 250, 250], 300), amountFigure('memory', 'MB', [9, 9, 9], 12)])).toEqual([
    'bulk    250.0 MB/s  [250.0, 250.0]  goal >= 300 MB/s: MISSED  n 3',
    'memory  9.0 MB      [9.0, 9.0]      goal <= 12 MB: met        n 3',
  ]);
});

it('prints value, interval, goal and verdict in columns', () => {
  const figures = [
    ratioFigure('execute / raw exec', [11, 11, 11], [10, 10, 10], 1.15),
    medianFigure('import of api', [120, 120, 120], 100),
    medianFigure('execute', [20, 20, 20]),
  ];
  expect(formatFigures(figures)).toEqual([
    'execute / raw exec  1.100 x   [1.100, 1.100]  goal <= 1.15 x: met     n 3, 11.0 ms / 10.0 ms',
    'import of api       120.0 ms  [120.0, 120.0]  goal <= 100 ms: MISSED  n 3, p95 120.0 ms',
    'execute             20.0 ms   [20.0, 20.0]                            n 3, p95 20.0 ms',
  ]);
});
