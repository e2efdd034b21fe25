/**
 * Every error that a caller can see: code -> status, title, whether trying again can help, and what to do.
 *
 * @module
 */
export type ErrorCode = keyof typeof catalog;

export interface CatalogEntry {
  readonly status: number;
  readonly title: string;
  /** The same request may succeed later without being changed, and sending it again does no harm. */
  readonly retryable: boolean;
  readonly remediation: string;
}

function entry(status: number, title: string, retryable: boolean, remediation: string): CatalogEntry {
  return { status, title, retryable, remediation };
}

export const catalog = {
  bad_request: entry(400, 'The request cannot be read', false, 'Send a valid HTTP request.'),
  invalid_json: entry(400, 'The body is not JSON', false, 'Send a JSON object as UTF-8 with content-type application/json.'),
  invalid_cursor: entry(
    400,
    'The cursor is not valid',
    false,
    'Use next_cursor of the page before with the same filters, or leave cursor out.',
  ),
  unauthenticated: entry(401, 'No valid credentials', false, 'Send a key as X-API-Key or Authorization: Bearer.'),
  forbidden: entry(403, 'Not allowed', false, 'Use a key that has this right.'),
  quota_exceeded: entry(
    403,
    'A limit of the user is reached',
    false,
    'End something that counts towards the limit, ask for less, or have the limit raised.',
  ),
  user_deleted: entry(403, 'The user was deleted', false, 'Have an administrator create the user again with PUT /v1/users/{id}.'),
  not_entitled: entry(
    403,
    'The user type does not have this right',
    false,
    'Have the user type, or the right named in the detail, changed.',
  ),
  not_found: entry(404, 'Not found', false, 'Check the id and the path.'),
  method_not_allowed: entry(405, 'The method is not allowed here', false, 'See /openapi.json for the methods of this path.'),
  invalid_state: entry(409, "The session's state does not allow this", false, 'Read the session and act on its status.'),
  namespace_taken: entry(409, 'The namespace belongs to another user', false, 'Choose another namespace, or ask its owner to share it.'),
  anchor_taken: entry(409, 'The project or conversation is another user’s', false, 'Choose another id, or act for the user who has it.'),
  user_in_use: entry(409, 'The user still holds something', false, 'End what is listed, or repeat the request with ?force=true.'),
  too_many_grants: entry(409, 'Shared with too many users', false, 'Withdraw some grants, or share a namespace instead.'),
  volume_in_use: entry(409, 'Sessions mount the volume', false, 'Delete the sessions named in the detail, or wait for their end.'),
  volume_exists: entry(409, 'There is a volume of this name', false, 'Choose another name, or use the one that is there.'),
  volume_deleting: entry(409, 'The volume is being deleted', true, 'Try again when it is gone, or choose another name.'),
  volume_unbound: entry(409, 'The volume has never been mounted', false, 'Start a session that mounts it first.'),
  snapshot_in_use: entry(409, 'The snapshot is still being made', true, 'Try again when its status is ready or failed.'),
  built_in_template: entry(409, 'The template is built in', false, 'Choose another id; built-in templates stay as they are.'),
  too_many_webhooks: entry(409, 'Too many webhooks', false, 'Delete one that is no longer needed.'),
  conflict: entry(409, 'Changed by somebody else meanwhile', true, 'Read it again and repeat the request.'),
  pod_restarting: entry(503, 'The pod is restarting', true, 'Wait for the time in Retry-After and try again.'),
  helper_outdated: entry(
    409,
    "The helper in the session's pod is too old",
    false,
    'Restart the session; its pod then gets the present helper.',
  ),
  helper_unreachable: entry(503, "The helper in the session's pod cannot be reached", true, 'Try again in a moment.'),
  helper_connection_lost: entry(
    502,
    "The connection to the session's pod was lost",
    false,
    'Read the result by its id before anything is run again.',
  ),
  helper_protocol_error: entry(
    502,
    "The helper in the session's pod does not keep to its protocol",
    false,
    'Restart the session. If a program in the session imitates the helper, end it first.',
  ),
  helper_undeliverable: entry(
    502,
    "The helper could not be put into the session's pod",
    false,
    'The detail says why: use an image for linux/amd64 or linux/arm64, and leave room on /berth.',
  ),
  helper_no_shell: entry(502, 'The image has no shell', false, 'Have the helper delivered by an init container (BERTH_HELPER_IMAGE).'),
  idempotency_key_in_use: entry(409, 'The first request with this key is still running', true, 'Repeat the request in a moment.'),
  payload_too_large: entry(413, 'The body is too large', false, 'Send less; files go through the files routes.'),
  wrong_unit: entry(421, 'This path belongs to the shell service', false, 'Send the request to the origin named in the detail.'),
  validation_failed: entry(422, 'The request is not valid', false, 'Correct the fields named in errors.'),
  idempotency_key_reused: entry(422, 'The key was used with another request', false, 'Use a new Idempotency-Key for a new request.'),
  unknown_volume: entry(422, 'No such volume', false, 'GET /v1/storage lists the volumes.'),
  unknown_snapshot: entry(422, 'No such snapshot', false, 'GET /v1/storage/{id}/snapshots lists the snapshots of a volume.'),
  unknown_template: entry(422, 'No such template', false, 'GET /v1/templates lists them.'),
  too_many_executions: entry(429, 'Too many commands at once in this session', true, 'Wait for some of them to end.'),
  bad_event: entry(422, 'The event is not one of ours', false, 'Send CloudEvents of Firestore, with the document as protobuf.'),
  webhook_failed: entry(502, 'The webhook was not delivered', true, 'It is tried again for an hour.'),
  internal: entry(500, 'Something went wrong here', false, 'Report the request_id to the operator.'),
  buckets_unsupported: entry(501, 'No buckets here', false, 'Use a persistent volume, or have GOOGLE_CLOUD_PROJECT configured.'),
  snapshots_unsupported: entry(
    501,
    'The cluster makes no snapshots',
    false,
    'Have the VolumeSnapshot API installed, with a driver that can.',
  ),
  not_implemented: entry(501, 'Not built yet', false, 'Leave it out; the changelog tells when it exists.'),
  identity_unavailable: entry(503, "The identity provider's keys cannot be had", true, 'Try again in a moment, or use a key.'),
  store_unavailable: entry(503, 'The document store cannot be reached', true, 'Try again in a moment.'),
  blobs_unavailable: entry(503, 'The blob store cannot be reached', true, 'Try again in a moment.'),
  queue_unavailable: entry(503, 'The task queue cannot be reached', true, 'Try again in a moment.'),
  cluster_unavailable: entry(503, 'The Kubernetes API cannot be reached', true, 'Try again in a moment.'),
  cluster_refused: entry(502, 'Kubernetes refused what Berth asked for', false, 'The detail has its own words; an operator has to look.'),
} as const satisfies Record<string, CatalogEntry>;
