/**
 * From a CloudEvent of Firestore to the change of a session that it tells of. Pure.
 *
 * @module
 */
import { collections } from '../sessions/collections.ts';
import type { CloudEvent } from './cloud-event.ts';
import { decodeDocumentEvent, type EventDocument } from './decode-event.ts';
import type { SessionChange, SessionState } from './model.ts';
import { toSessionState } from './session-state.ts';

/** `written`, and with who wrote it; also its three cases apart, whose data is the same. */
const TYPE = /^google\.cloud\.firestore\.document\.v1\.(written|created|updated|deleted)(\.withAuthContext)?$/;

/** `undefined` for a document that is no session's, and for one that was deleted. Throws `TypeError` for what is no event of Firestore. */
export function readChange(event: CloudEvent): SessionChange | undefined {
  if (!TYPE.test(event.type)) throw new TypeError(`events of type ${event.type} are not taken`);
  const mediaType = event.contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!['application/protobuf', 'application/x-protobuf', 'application/octet-stream', ''].includes(mediaType)) {
    throw new TypeError(`the data has to be protobuf, not ${mediaType}`);
  }
  const { before, after } = decodeDocumentEvent(event.data);
  const [collection, document, ...rest] = (after ?? before)?.path.split('/') ?? [];
  if (collection === undefined) throw new TypeError('the event has no document');
  if (collection !== collections.sessions || document === undefined || rest.length > 0) return undefined;
  // What it was is not looked at: nothing would tell of it, and an old version of Berth may have written it.
  if (after === undefined) return undefined;
  // Ids are one of a kind within their source alone.
  const id = `${event.source}\n${event.id}`;
  return { id, after: stateOf(after), ...(before === undefined ? {} : { before: stateOf(before) }) };
}

function stateOf(document: EventDocument): SessionState {
  const state = toSessionState(document.data);
  if (state === undefined) throw new TypeError(`${document.path} is not a session as this version of Berth writes it`);
  return state;
}
