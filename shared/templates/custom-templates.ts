/**
 * Templates of an installation's own, beside the built-in ones. Sessions keep what they were made from: changing or deleting a template
 * changes no session.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import type { DocumentKey, StoredDocument } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { collections } from '../sessions/collections.ts';
import { builtInTemplates, findTemplate, templateDefaults, type Template } from './catalog.ts';

/** `templates/{id}`. */
export interface TemplateDocument extends Template {
  readonly created_at: string;
  readonly updated_at: string;
}

type TemplateDeps = Pick<Deps, 'store' | 'clock'>;

const ID = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function templateKey(id: string): DocumentKey {
  return { collection: collections.templates, id };
}

/** Fields that are newer than the document have their defaults. */
function toTemplate({ data }: StoredDocument<TemplateDocument>): Template {
  const { created_at: _created, updated_at: _updated, ...template } = data;
  return { ...templateDefaults, ...template };
}

/** A template by its id, built-in or not; the built-in ones cost no read. `undefined` where there is none, whatever the text. */
export async function readTemplate(deps: Pick<Deps, 'store'>, id: string): Promise<Template | undefined> {
  const builtIn = findTemplate(id);
  if (builtIn !== undefined || !ID.test(id)) return builtIn;
  const stored = await deps.store.get<TemplateDocument>(templateKey(id));
  return stored && toTemplate(stored);
}

export interface TemplatePage {
  readonly templates: readonly Template[];
  readonly nextCursor: string | null;
}

/** A cursor within the built-in ones; the store's own begin otherwise. */
const BUILT_IN_CURSOR = /^builtin\.(\d{1,3})$/;

/** The built-in ones come first, then the others by id. Throws `StoreError` `invalid_cursor`. */
export async function listTemplates(
  deps: Pick<Deps, 'store'>,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): Promise<TemplatePage> {
  const [, position] = BUILT_IN_CURSOR.exec(cursor ?? 'builtin.0') ?? [];
  const from = position === undefined ? builtInTemplates.length : Number(position);
  const builtIn = builtInTemplates.slice(from, from + limit);
  const left = limit - builtIn.length;
  if (left === 0) return { templates: builtIn, nextCursor: `builtin.${from + limit}` };
  const page = await deps.store.query<TemplateDocument>(collections.templates, {
    limit: left,
    ...(cursor === undefined || position !== undefined ? {} : { cursor }),
  });
  return { templates: [...builtIn, ...page.documents.map(toTemplate)], nextCursor: page.nextCursor ?? null };
}

/** Creates or replaces it. Throws `AppError` `built_in_template`. */
export async function putTemplate(
  deps: TemplateDeps,
  template: Template,
): Promise<{ readonly template: Template; readonly created: boolean }> {
  refuseBuiltIn(template.id);
  const now = deps.clock.now().toISOString();
  const key = templateKey(template.id);
  return deps.store.transact([key], ([before]) => {
    const createdAt = (before?.data as TemplateDocument | undefined)?.created_at ?? now;
    const data: TemplateDocument = { ...template, created_at: createdAt, updated_at: now };
    return { writes: [{ type: 'set', key, data }], result: { template, created: before === undefined } };
  });
}

/** Deleting nothing is fine. Throws `AppError` `built_in_template`. */
export async function deleteTemplate(deps: Pick<Deps, 'store'>, id: string): Promise<void> {
  refuseBuiltIn(id);
  await deps.store.delete(templateKey(id));
}

function refuseBuiltIn(id: string): void {
  if (findTemplate(id) === undefined) return;
  throw new AppError('built_in_template', `The template "${id}" is built in; it cannot be replaced or deleted.`);
}
