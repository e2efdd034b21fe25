/**
 * What happened in the runs: how often each event came and each edge was taken, and what was wrong.
 */
export interface Counts {
  readonly events: Record<string, number>;
  readonly edges: Record<string, number>;
}

export function noCounts(): Counts {
  return { events: {}, edges: {} };
}

export function addCounts(sum: Counts, more: Counts): void {
  for (const part of ['events', 'edges'] as const) {
    for (const [name, count] of Object.entries(more[part])) sum[part][name] = (sum[part][name] ?? 0) + count;
  }
}

export interface Ledger {
  readonly counts: Counts;
  /** In order; the run is judged by the first. */
  readonly violations: string[];
  /** For reading a counterexample: what happened and when. */
  readonly story: string[];
  event(name: string): void;
  edge(name: string): void;
  /** Notes a broken rule. */
  broken(rule: string, details: string): void;
  tell(line: () => string): void;
}

export function createLedger(now: () => Date, keepsStory: boolean): Ledger {
  const counts = noCounts();
  const violations: string[] = [];
  const story: string[] = [];
  const add = (part: Record<string, number>, name: string): void => {
    part[name] = (part[name] ?? 0) + 1;
  };
  const tell = (line: () => string): void => {
    if (keepsStory) story.push(`${now().toISOString().slice(11, 23)} ${line()}`);
  };
  return {
    counts,
    violations,
    story,
    event: (name) => {
      add(counts.events, name);
      tell(() => name);
    },
    edge: (name) => add(counts.edges, name),
    broken: (rule, details) => {
      violations.push(`${rule}: ${details}`);
      tell(() => `BROKEN ${rule}: ${details}`);
    },
    tell,
  };
}
