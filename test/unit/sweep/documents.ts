import type { NamespaceDocument } from '../../../shared/namespaces/model.ts';
import type { VolumeDocument } from '../../../shared/storage/model.ts';
import { sessionDocument } from '../../fakes/session-document.ts';
import { past } from './sightings.ts';

/** Alice's own, which nobody needs any more. */
export function namespaceDocument(fields: Partial<NamespaceDocument> = {}): NamespaceDocument {
  const { namespace, k8s_namespace, user } = sessionDocument();
  return {
    namespace,
    owner: user,
    k8s_namespace,
    state: 'active',
    sessions: {},
    emptied_at: past,
    k8s_uid: 'uid-1',
    objects_digest: 'd',
    created_at: past,
    ...fields,
  };
}

/** A claim of alice's that no session uses. */
export function volumeDocument(fields: Partial<VolumeDocument> = {}): VolumeDocument {
  const { namespace, k8s_namespace, user } = sessionDocument();
  const id = '0123456789abcdef0123456789abcdef';
  return {
    id,
    incarnation: 'first',
    type: 'persistent_volume',
    name: 'data',
    user,
    namespace,
    k8s_namespace,
    claim_name: `berth-${id}`,
    bucket_name: null,
    bucket_is_ours: false,
    storage_class: 'standard-rwo',
    shared: false,
    size_gb: 10,
    status: 'ready',
    reason: null,
    retain: false,
    sessions: {},
    grants: {},
    snapshot_id: null,
    created_at: past,
    updated_at: past,
    due_at: null,
    purge_at: null,
    ...fields,
  };
}
