/**
 * Resource requests and limits of a container.
 *
 * @module
 */
import { parseQuantity, QUANTITY_PATTERN, quantityOf } from '../quantity.ts';
import { badRequest } from '../status.ts';
import type { FieldFault } from '../status.ts';
import { invalidValue } from './faults.ts';

/** 400 where a value is not a quantity at all: the real server fails to decode the object. */
export function requireQuantities(kindName: string, quantities: Readonly<Record<string, unknown>> = {}): void {
  for (const value of Object.values(quantities)) {
    if (parseQuantity(value) === undefined)
      throw badRequest(
        `${kindName} in version "v1" cannot be handled as a ${kindName}: quantities must match the regular expression '${QUANTITY_PATTERN}'`,
      );
  }
}

interface Resources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

export function checkResources(field: string, { requests = {}, limits = {} }: Resources = {}): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const [part, quantities] of Object.entries({ limits, requests })) {
    for (const [name, value] of Object.entries(quantities)) {
      if (quantityOf(value).nano < 0n) faults.push(invalidValue(`${field}.${part}[${name}]`, value, 'must be greater than or equal to 0'));
    }
  }
  for (const [name, value] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit !== undefined && quantityOf(value).nano > quantityOf(limit).nano) {
      faults.unshift(invalidValue(`${field}.requests`, value, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  return faults;
}
