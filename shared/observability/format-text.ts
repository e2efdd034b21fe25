/**
 * One event for a person at a terminal: time, level, message, then what belongs to it as `name=value`.
 *
 * @module
 */
import type { LogEvent } from './create-logger.ts';
import { describeError } from './describe-error.ts';
import type { LogLevel } from './logger.ts';

const labels: Readonly<Record<LogLevel, string>> = { debug: 'debug', info: 'info ', warn: 'WARN ', error: 'ERROR' };

/** Of no use to somebody who watches one process. */
const hidden = new Set(['component', 'trace', 'span']);

/** A single line; an event of level `error` also has the stack of its error below it. */
export function formatText({ level, message, time, fields, error }: LogEvent): string {
  const component = typeof fields['component'] === 'string' ? `${fields['component']}: ` : '';
  const details = Object.entries(fields)
    .filter(([name, value]) => !hidden.has(name) && value !== undefined && value !== null)
    .map(([name, value]) => ` ${name}=${formatValue(value)}`);
  const clock = time.toISOString().slice(11, 23);
  return `${clock} ${labels[level]} ${component}${oneLine(message)}${details.join('')}${formatError(level, error)}\n`;
}

function formatError(level: LogLevel, error: unknown): string {
  if (error === undefined) return '';
  const { message, stack } = describeError(error);
  return level === 'error' ? `\n${stack.replace(/^/gm, '    ')}` : ` error=${JSON.stringify(message)}`;
}

function formatValue(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Control characters of a caller's text cannot forge a line or drive the terminal. */
function oneLine(text: string): string {
  return /[^\P{Cc}]/u.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}
