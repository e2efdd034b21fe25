/**
 * The three forms in which objects are answered, chosen by `Accept`: as they are, as a `Table`, or their metadata alone.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { entryJson } from '../entry.ts';
import type { Entry } from '../entry.ts';
import { apiVersion } from '../resources.ts';
import type { Kind } from '../resources.ts';
import { StatusError } from '../status.ts';
import { renderTable } from './table.ts';

export type Form = 'object' | 'table' | 'partial';

export interface Rendering {
  readonly form: Form;
  /** `includeObject` of a table. */
  readonly include: 'None' | 'Metadata' | 'Object';
  readonly now: Date;
}

/** Reads `Accept`: the first form that can be served. Throws 406 where none can. */
export function formOf(accept: string | undefined): Form {
  const ranges = (accept ?? '*/*').split(',').map((range) => range.trim());
  for (const range of ranges) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (!['application/json', '*/*', 'application/*'].includes(type)) continue;
    if (as === undefined) return 'object';
    if (as === 'Table') return 'table';
    if (as.startsWith('PartialObjectMetadata')) return 'partial';
  }
  throw new StatusError(406, 'NotAcceptable', 'only the following media types are accepted: application/json', {});
}

function partial(object: KubernetesObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

function tableRow({ object }: Entry, include: Rendering['include']): { readonly object: KubernetesObject; readonly include: unknown } {
  const forms = { None: null, Metadata: partial(object), Object: object };
  return { object, include: forms[include] };
}

/** One object, as the answer to a request. */
export function renderOne(kind: Kind, entry: Entry, { form, include, now }: Rendering): string {
  if (form === 'object') return entryJson(kind, entry);
  if (form === 'partial') return JSON.stringify(partial(entry.object));
  return JSON.stringify(renderTable(kind, [tableRow(entry, include)], { resourceVersion: String(entry.revision) }, true, now));
}

/** One object in a watch event. */
export function renderWatched(kind: Kind, entry: Entry, { form, include, now }: Rendering, first: boolean): string {
  if (form !== 'table') return renderOne(kind, entry, { form, include, now });
  return JSON.stringify(renderTable(kind, [tableRow(entry, include)], { resourceVersion: String(entry.revision) }, first, now));
}

/** A list. Items are joined from the JSON that each version already has. */
export function renderList(kind: Kind, entries: readonly Entry[], metadata: object, { form, include, now }: Rendering): string {
  if (form === 'table')
    return JSON.stringify(
      renderTable(
        kind,
        entries.map((entry) => tableRow(entry, include)),
        metadata,
        true,
        now,
      ),
    );
  if (form === 'partial')
    return JSON.stringify({
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items: entries.map(({ object }) => partial(object)),
    });
  const items = entries.map(({ body }) => body).join(',');
  return `{"kind":"${kind.kind}List","apiVersion":"${apiVersion(kind)}","metadata":${JSON.stringify(metadata)},"items":[${items}]}`;
}
