/**
 * Quantities of Kubernetes (`250m`, `1.5Gi`, `2e3`), exact: nano-units in a bigint.
 *
 * @module
 */
export interface Quantity {
  readonly nano: bigint;
  /** Written in powers of 1024 (`Mi`), which its sum and its canonical form keep. */
  readonly binary: boolean;
}

/** The pattern that the real server names in its refusal. */
export const QUANTITY_PATTERN = '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$';

const NANO = 1_000_000_000n;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

export const ZERO: Quantity = { nano: 0n, binary: false };

/** Parses a quantity, written as a string or (as YAML has it) a number. `undefined` where it is not one. Finer than nano rounds up. */
export function parseQuantity(value: unknown): Quantity | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/.exec(
    typeof value === 'number' ? String(value) : typeofString(value),
  );
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const binaryPower = suffix === '' ? -1 : BINARY.indexOf(suffix);
  let numerator = BigInt(whole + fraction) * NANO;
  let denominator = 10n ** BigInt(fraction.length);
  if (binaryPower > 0) numerator *= 1024n ** BigInt(binaryPower);
  else {
    const exponent = /^[eE]/.test(suffix) && suffix.length > 1 ? Number(suffix.slice(1)) : (DECIMAL.indexOf(suffix) - 3) * 3;
    if (Math.abs(exponent) > 30) return undefined;
    if (exponent >= 0) numerator *= 10n ** BigInt(exponent);
    else denominator *= 10n ** BigInt(-exponent);
  }
  const nano = (numerator + denominator - 1n) / denominator;
  return { nano: sign === '-' ? -nano : nano, binary: binaryPower > 0 };
}

function typeofString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** For values that validation has let in. */
export function quantityOf(value: unknown): Quantity {
  return parseQuantity(value) ?? ZERO;
}

export function add(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano + right.nano, binary: left.nano === 0n ? right.binary : left.binary };
}

/** The canonical form, which the real server stores and answers: `1000m` is `1`, `1024Mi` is `1Gi`, `0.5` is `500m`. */
export function formatQuantity({ nano, binary }: Quantity): string {
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const size = nano < 0n ? -nano : nano;
  if (binary && size % NANO === 0n && size >= 1024n * NANO) return sign + scale(size / NANO, 1024n, BINARY);
  return sign + scale(size, 1000n, DECIMAL);
}

/** Divides by the base as long as nothing is lost. */
function scale(size: bigint, base: bigint, suffixes: readonly string[]): string {
  let power = 0;
  let rest = size;
  while (rest % base === 0n && power < suffixes.length - 1) {
    rest /= base;
    power += 1;
  }
  return `${rest}${suffixes[power]}`;
}
