/**
 * Measures several subjects side by side: in each round every subject once, in turning order, so that whatever else the machine does
 * meets all of them alike.
 *
 * @module
 */

/** One thing to measure; it times itself, so that what it prepares and clears away does not count. Resolves to milliseconds. */
export type Subject = () => Promise<number>;

export interface InterleaveOptions {
  readonly rounds: number;
  /** Rounds before the first that counts: caches and connections are warm. */
  readonly warmUp: number;
  readonly onRound?: (done: number, rounds: number) => void;
}

/** Milliseconds per subject; element i of every list was measured in round i. Rejects as soon as a subject fails. */
export async function interleave<Name extends string>(
  subjects: Readonly<Record<Name, Subject>>,
  { rounds, warmUp, onRound }: InterleaveOptions,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(subjects) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmUp; round < rounds; round += 1) {
    const turn = (round + warmUp) % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      const milliseconds = await subjects[name]();
      if (round >= 0) samples[name].push(milliseconds);
    }
    if (round >= 0) onRound?.(round + 1, rounds);
  }
  return samples;
}

/** Milliseconds until the work is done. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
