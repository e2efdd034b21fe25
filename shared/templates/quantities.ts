/**
 * Kubernetes quantities as numbers, https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
 *
 * @module
 */
const factors: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** The quantity in its base unit: cores or bytes. Throws `RangeError` on what is not a quantity. */
export function parseQuantity(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)([A-Za-z]{0,2})$/.exec(text);
  const factor = match === null ? undefined : factors[match[2] ?? ''];
  if (match === null || factor === undefined) throw new RangeError(`not a quantity: ${text}`);
  return Number(match[1]) * factor;
}
