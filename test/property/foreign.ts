/**
 * What others have in the same cluster: another installation of Berth, and people who know nothing of it. Nothing of it may be touched.
 */
import { labels } from '../../shared/pods/names.ts';
import type { ClusterObjects } from '../fakes/fake-cluster-kubernetes-objects.ts';

const theirs = { [labels.installation]: 'another', [labels.session]: 'theirs', [labels.managedBy]: 'berth' };

const foreign: readonly (readonly [kind: string, namespace: string | undefined, name: string, labels: Record<string, string>])[] = [
  ['Namespace', undefined, 'berth-theirs', theirs],
  ['Pod', 'berth-theirs', 'berth-theirs', theirs],
  ['PersistentVolumeClaim', 'berth-theirs', 'berth-theirs', theirs],
  ['Secret', 'berth-theirs', 'berth-theirs', theirs],
  ['Namespace', undefined, 'default', {}],
  ['Pod', 'default', 'database', { app: 'database' }],
  ['PersistentVolumeClaim', 'default', 'database', { app: 'database' }],
];

export function putForeignObjects(objects: ClusterObjects): void {
  for (const [kind, namespace, name, given] of foreign) objects.create(kind, namespace, { metadata: { name, labels: given } });
}

/** Those that are not there any more, or on their way out. */
export function missingForeignObjects(objects: ClusterObjects): readonly string[] {
  return foreign
    .filter(([kind, namespace, name]) => {
      const object = objects.find(kind, namespace, name);
      return object === undefined || object.metadata.deletionTimestamp !== undefined;
    })
    .map(([kind, , name]) => `${kind} ${name}`);
}
