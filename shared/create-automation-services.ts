/**
 * Joins templates, webhooks, audit and events to what the routes ask for.
 *
 * @module
 */
import { listAudit } from './audit/list.ts';
import { recordAudit } from './audit/record.ts';
import type { Deps } from './deps.ts';
import { handleChange } from './events/handle-change.ts';
import type { AutomationServices } from './http/automation-services.ts';
import { deleteTemplate, listTemplates, putTemplate, readTemplate } from './templates/custom-templates.ts';
import { createWebhook, deleteWebhook, getWebhook, listWebhooks } from './webhooks/manage.ts';

export function createAutomationServices(deps: Deps): AutomationServices {
  return {
    listTemplates: (_caller, page) => listTemplates(deps, page),
    getTemplate: (_caller, id) => readTemplate(deps, id),
    putTemplate: async (caller, template) => {
      const put = await putTemplate(deps, template);
      await recordAudit(deps, { caller, action: 'template.put', target: `templates/${template.id}`, detail: { image: template.image } });
      return put;
    },
    deleteTemplate: async (caller, id) => {
      await deleteTemplate(deps, id);
      await recordAudit(deps, { caller, action: 'template.delete', target: `templates/${id}` });
    },
    createWebhook: async (caller, request, idempotencyKey) => {
      const made = await createWebhook(deps, caller, request, idempotencyKey);
      const { id, user, url } = made.webhook;
      if (made.replayed) return made;
      // The host alone: a path may hold a token of the receiver's.
      await recordAudit(deps, { caller, user, action: 'webhook.create', target: `webhooks/${id}`, detail: { host: new URL(url).host } });
      return made;
    },
    listWebhooks: (caller, filters) => listWebhooks(deps, caller, filters),
    getWebhook: (caller, id) => getWebhook(deps, caller, id),
    deleteWebhook: async (caller, id) => {
      const hook = await deleteWebhook(deps, caller, id);
      if (hook !== undefined) await recordAudit(deps, { caller, user: hook.user, action: 'webhook.delete', target: `webhooks/${id}` });
    },
    listAudit: (caller, filters) => listAudit(deps, caller, filters),
    handleChange: (change) => handleChange(deps, change),
  };
}
