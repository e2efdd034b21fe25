/**
 * Writing the audit: one document per entry, in the request that it is about.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { collections } from '../sessions/collections.ts';
import type { AuditDocument } from './model.ts';

export interface AuditEntry extends Pick<AuditDocument, 'action'> {
  readonly caller: Caller;
  /** Whose thing it is about; the caller's own where absent. */
  readonly user?: string | null;
  readonly target?: string;
  readonly outcome?: AuditDocument['outcome'];
  readonly detail?: AuditDocument['detail'];
}

export type AuditDeps = Pick<Deps, 'store' | 'clock' | 'newId' | 'log'>;

const KEPT_DAYS = 90;
const DETAILS = 16;
const LONGEST_TEXT = 200;

/** When an entry of this time goes. */
export function auditPurgeTime(at: Date): string {
  return new Date(at.getTime() + KEPT_DAYS * 86_400_000).toISOString();
}

/** An entry as it is kept: bounded, however long what it names is. Pure. */
export function auditDocument(entry: AuditEntry, id: string, at: Date): AuditDocument {
  const { caller, action, user = caller.user, target, outcome = 'done', detail = {} } = entry;
  return {
    id,
    at: at.toISOString(),
    by: caller.user ?? caller.keyId,
    key_id: caller.keyId,
    request_id: caller.requestId,
    user,
    action,
    target: target === undefined ? null : cut(target),
    outcome,
    detail: boundDetail(detail),
    purge_at: auditPurgeTime(at),
  };
}

/** Never throws: what was done is done, and an entry that could not be written is told in the log. */
export async function recordAudit(deps: AuditDeps, entry: AuditEntry): Promise<void> {
  const document = auditDocument(entry, deps.newId(), deps.clock.now());
  try {
    await deps.store.create({ collection: collections.audit, id: document.id }, document);
  } catch (error) {
    const { action, by, target, outcome, detail } = document;
    deps.log.log('error', 'an audit entry could not be written', { component: 'audit', action, by, target, outcome, detail, error });
  }
}

/** What the audit keeps of a command: enough to tell whether a known one was run, nothing of what it says. */
export function commandDigest(command: string | readonly string[]): { readonly command_sha256: string; readonly command_bytes: number } {
  const bytes = Buffer.from(typeof command === 'string' ? command : command.join('\0'));
  return { command_sha256: createHash('sha256').update(bytes).digest('hex'), command_bytes: bytes.length };
}

function cut(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1).toWellFormed()}…` : text.toWellFormed();
}

function boundDetail(detail: AuditDocument['detail']): AuditDocument['detail'] {
  const entries = Object.entries(detail).slice(0, DETAILS);
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'string' ? cut(value) : value]));
}
