/**
 * The logger: one line of JSON per event for Cloud Logging, or one readable line for a terminal.
 *
 * @module
 */
import { systemClock } from '../clock.ts';
import { formatJson } from './format-json.ts';
import { formatText } from './format-text.ts';
import type { Logger, LogFields, LogLevel } from './logger.ts';
import { redact, redactText } from './redact.ts';

export interface LoggerOptions {
  readonly level: LogLevel | 'silent';
  readonly format: 'json' | 'text';
  /** Given whole lines, with their end; standard output by default. */
  readonly write?: (line: string) => void;
  /** Google Cloud project, to which Cloud Logging ties a request's trace. */
  readonly project?: string;
  readonly now?: () => Date;
}

export interface LogEvent {
  readonly level: LogLevel;
  readonly message: string;
  readonly time: Date;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error: unknown;
}

const ranks: Readonly<Record<LogLevel | 'silent', number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

export function createLogger({ level, format, write = writeToStdout, project, now = () => systemClock.now() }: LoggerOptions): Logger {
  const render = format === 'json' ? (event: LogEvent) => formatJson(event, project) : formatText;

  function child(inherited: LogFields): Logger {
    return {
      log(eventLevel, message, fields = {}) {
        if (ranks[eventLevel] < ranks[level]) return;
        const { error, ...rest } = { ...inherited, ...fields };
        const safe = redact(rest) as Record<string, unknown>;
        write(render({ level: eventLevel, message: redactText(message), time: now(), fields: safe, error }));
      },
      with(fields) {
        return child({ ...inherited, ...fields });
      },
    };
  }

  return child({});
}

function writeToStdout(line: string): void {
  process.stdout.write(line);
}
