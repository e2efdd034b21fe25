/**
 * Ages as `kubectl get` prints them: two units at most, fewer the older a thing is.
 *
 * @module
 */

/** `5s`, `2m5s`, `17m`, `3h20m`, `26h`, `2d4h`, `15d`, `2y30d`. A time ahead counts as now. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600);
  const days = Math.floor(hours / 24);
  const years = Math.floor(days / 365);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  if (years < 8) return pair(years, 'y', days % 365, 'd');
  return `${years}y`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** The age of what the store holds as a string, though the types say `Date`. */
export function ageOf(time: Date | string | undefined | null, now: Date): string {
  return time === undefined || time === null ? '<unknown>' : humanDuration(now.getTime() - new Date(time).getTime());
}
