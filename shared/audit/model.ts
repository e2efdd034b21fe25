/**
 * Words
 * - **audit**: who did what, when, to what: written by the request itself, because a change of a document knows no caller.
 * - **entry**: one line of it. It names things and never holds their content: of a command its SHA-256 and length, of a key its id.
 *
 * @module
 */
export const auditOutcomes = ['done', 'refused'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** `audit/{id}`. */
export interface AuditDocument {
  readonly id: string;
  readonly at: string;
  /** The user that the caller is or acted for; `system` for Berth itself. */
  readonly by: string;
  readonly key_id: string | null;
  readonly request_id: string | null;
  /** Whose things it is about; null where it is about nobody's. */
  readonly user: string | null;
  /** `<thing>.<what happened>`: `session.execute`, `key.create`, `request.refused`. */
  readonly action: string;
  /** Type and id of the thing: `sessions/0c9t…`. */
  readonly target: string | null;
  readonly outcome: AuditOutcome;
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
  readonly purge_at: string;
}
