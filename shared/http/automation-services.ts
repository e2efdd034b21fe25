/**
 * What the routes ask of templates, webhooks, audit and events.
 *
 * @module
 */
import type { AuditFilters, AuditPage } from '../audit/list.ts';
import type { Caller } from '../auth/caller.ts';
import type { ChangeOutcome } from '../events/handle-change.ts';
import type { SessionChange } from '../events/model.ts';
import type { Template } from '../templates/catalog.ts';
import type { TemplatePage } from '../templates/custom-templates.ts';
import type { MadeWebhook, NewWebhook, WebhookFilters, WebhookPage } from '../webhooks/manage.ts';
import type { WebhookDocument } from '../webhooks/model.ts';

/** All of them throw `AppError`. */
export interface AutomationServices {
  listTemplates(caller: Caller, page: { readonly limit: number; readonly cursor?: string }): Promise<TemplatePage>;
  getTemplate(caller: Caller, id: string): Promise<Template | undefined>;
  putTemplate(caller: Caller, template: Template): Promise<{ readonly template: Template; readonly created: boolean }>;
  deleteTemplate(caller: Caller, id: string): Promise<void>;
  createWebhook(caller: Caller, request: NewWebhook, idempotencyKey?: string): Promise<MadeWebhook>;
  listWebhooks(caller: Caller, filters: WebhookFilters): Promise<WebhookPage>;
  getWebhook(caller: Caller, id: string): Promise<WebhookDocument>;
  deleteWebhook(caller: Caller, id: string): Promise<void>;
  listAudit(caller: Caller, filters: AuditFilters): Promise<AuditPage>;
  /** One change of a session, told at least once; resolving means that it must not be told again. */
  handleChange(change: SessionChange): Promise<ChangeOutcome>;
}
