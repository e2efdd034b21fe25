/**
 * The outcome as text for people.
 */
import type { Counts } from './ledger.ts';
import type { Failure } from './property.ts';

export function countsTable(counts: Counts): string {
  return [section('events', counts.events), section('edges of the table of states (design §4)', counts.edges)].join('\n\n');
}

function section(title: string, part: Readonly<Record<string, number>>): string {
  const lines = Object.entries(part)
    .toSorted(([left], [right]) => left.localeCompare(right))
    .map(([name, count]) => `${String(count).padStart(8)}  ${name}`);
  return [title, ...lines].join('\n');
}

const LAST_LINES = 120;

/** Enough to see it again and to read what led there. */
export function failureText({ violation, seed, path, weather, commands, story }: Failure): string {
  return [
    violation,
    `seed ${seed}, path ${path}`,
    `weather ${JSON.stringify(weather)}`,
    ...commands.map((command) => `  ${JSON.stringify(command)}`),
    ...story.slice(-LAST_LINES),
  ].join('\n');
}
