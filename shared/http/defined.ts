/**
 * Absent in place of `undefined`.
 *
 * @module
 */
type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Under `exactOptionalPropertyTypes` absent and `undefined` differ; a query's optional parameters come as either. */
export function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}
