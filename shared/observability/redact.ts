/**
 * The last net below every log line: what looks like a secret does not get out, by its name or by its form.
 *
 * @module
 */
const MASK = '[secret]';
const DEEPEST = 6;

const secretName =
  /^(authorization|proxy-authorization|cookie|set-cookie|x-api-key|api[-_]?key|secret|.*_secret|secret_hash|token|.*[-_]token|ticket|password|env)$/i;
/** Our own keys (`shared/auth/keys.ts`), whose first part is harmless. */
const keyInText = /(berth_[0-9a-z]{26}_)[A-Za-z0-9_-]+/g;
const bearer = /\b(Bearer +)[A-Za-z0-9._~+/=-]+/gi;
const ticket = /([?&]ticket=)[^&\s"]+/g;

export function redactText(text: string): string {
  return text.replace(keyInText, `$1${MASK}`).replace(bearer, `$1${MASK}`).replace(ticket, `$1${MASK}`);
}

/** A copy that is safe to write as JSON: cycles and depth cut, errors as their message, secrets masked. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value;
  if (value instanceof Error) return redactText(value.message);
  if (depth >= DEEPEST) return '[deeper]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if (hasJson(value)) return redact(value.toJSON(), depth + 1);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, secretName.test(name) ? MASK : redact(item, depth + 1)]));
}

function hasJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
