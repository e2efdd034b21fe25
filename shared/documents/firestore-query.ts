/**
 * A query of the port as one of Firestore's.
 *
 * @module
 */
import type { CollectionReference, Query as FirestoreQuery } from '@google-cloud/firestore';
import { checkQuery, isList } from './check.ts';
import { decodeCursor } from './cursor.ts';
import { toFieldValue } from './firestore-document.ts';
import type { Json, Query } from './port.ts';

type Sdk = typeof import('@google-cloud/firestore');

/** Asks for one document more than the page, which tells whether there is a next one. Throws `StoreError` for what no store takes. */
export function toFirestoreQuery(sdk: Sdk, reference: CollectionReference, collection: string, query: Query): FirestoreQuery {
  const { conditions, order, limit } = checkQuery(collection, query);
  const after = decodeCursor(collection, query);
  const direction = order.descending ? 'desc' : 'asc';
  const compared = (path: string | undefined, value: Json | undefined): unknown => {
    if (path === undefined || value === undefined) return value;
    return isList(value) ? value.map((item) => toFieldValue(path, item, sdk.Timestamp)) : toFieldValue(path, value, sdk.Timestamp);
  };
  let found = reference.limit(limit + 1);
  for (const { path, segments, operator, value } of conditions) {
    found = found.where(new sdk.FieldPath(...segments), operator, compared(path, value));
  }
  if (order.segments !== undefined) found = found.orderBy(new sdk.FieldPath(...order.segments), direction);
  found = found.orderBy(sdk.FieldPath.documentId(), direction);
  if (after === undefined) return found;
  return order.segments === undefined ? found.startAfter(after.id) : found.startAfter(compared(query.orderBy?.path, after.value), after.id);
}
