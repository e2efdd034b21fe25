/**
 * `/v1/storage`: volumes as resources of their own, and their snapshots.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { bounds } from '../../sessions/create-request.ts';
import { changeVolumeSchema, createVolumeSchema } from '../../storage/create-request.ts';
import { volumeTypes } from '../../storage/model.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { booleanText, noQuery, pageQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';
import { snapshotAnswer, snapshotSchema, volumeAnswer, volumeDetailsAnswer, volumeDetailsSchema, volumeSchema } from '../storage-answer.ts';

const tags = ['Storage'];

const idParameter = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .openapi({ param: { name: 'id', in: 'path' }, description: 'Id of the volume.' }),
});

const snapshotParameters = idParameter.extend({
  snapshot: z
    .string()
    .regex(/^[0-9a-z]{26}$/)
    .openapi({ param: { name: 'snapshot', in: 'path' }, description: 'Id of the snapshot.' }),
});

const list = createRoute({
  method: 'get',
  path: '/v1/storage',
  operationId: 'listVolumes',
  summary: 'List volumes, newest first',
  tags,
  security,
  request: {
    query: z.strictObject({
      namespace: z.string().min(1).max(63).optional(),
      user: z.string().min(1).max(bounds.userCharacters).optional(),
      type: z.enum(volumeTypes).optional(),
      shared: booleanText(
        'In place of your own: those that others share with you one by one; with `namespace`, all of a namespace that is shared with you.',
      ).optional(),
      ...pageQuery,
    }),
  },
  responses: {
    200: json(z.object({ volumes: z.array(volumeSchema), next_cursor: z.string().nullable() }), 'A page of volumes.'),
    ...problems,
  },
});

const create = createRoute({
  method: 'post',
  path: '/v1/storage',
  operationId: 'createVolume',
  summary: 'Create a volume without a session',
  description:
    'It stays until it is deleted, unless `retain` is false. A name is one volume in its namespace: creating it twice is refused with `volume_exists`, so a repeated request does no harm.',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { query: noQuery, ...jsonBody(createVolumeSchema.meta({ id: 'CreateVolume' })) },
  responses: { 201: { ...json(volumeSchema, 'The volume.'), headers: z.object({ Location: z.string() }) }, ...problems },
});

const get = createRoute({
  method: 'get',
  path: '/v1/storage/{id}',
  operationId: 'getVolume',
  summary: 'Read a volume, with what the cluster says of it',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(volumeDetailsSchema, 'The volume.'), ...problems },
});

const change = createRoute({
  method: 'patch',
  path: '/v1/storage/{id}',
  operationId: 'changeVolume',
  summary: 'Grow a volume, or decide whether it stays',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { params: idParameter, query: noQuery, ...jsonBody(changeVolumeSchema.meta({ id: 'ChangeVolume' })) },
  responses: { 200: json(volumeSchema, 'The volume.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/storage/{id}',
  operationId: 'deleteVolume',
  summary: 'Delete a volume and everything in it',
  description: 'Refused with `volume_in_use` while a session mounts it. Its snapshots stay.',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: {
    200: json(z.object({ deleted: z.literal(true), status: z.enum(['deleting', 'deleted']) }), 'It goes now, or is gone.'),
    ...problems,
  },
});

const listSnapshots = createRoute({
  method: 'get',
  path: '/v1/storage/{id}/snapshots',
  operationId: 'listSnapshots',
  summary: "List a volume's snapshots, newest first",
  tags,
  security,
  request: { params: idParameter, query: z.strictObject({ ...pageQuery }) },
  responses: {
    200: json(z.object({ snapshots: z.array(snapshotSchema), next_cursor: z.string().nullable() }), 'A page of snapshots.'),
    ...problems,
  },
});

const createSnapshot = createRoute({
  method: 'post',
  path: '/v1/storage/{id}/snapshots',
  operationId: 'createSnapshot',
  summary: "Keep a volume's present content",
  description: 'Ready once its status says so; `snapshot_id` then makes a new volume of it. Clusters without snapshots answer 501.',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 201: { ...json(snapshotSchema, 'The snapshot.'), headers: z.object({ Location: z.string() }) }, ...problems },
});

const getSnapshot = createRoute({
  method: 'get',
  path: '/v1/storage/{id}/snapshots/{snapshot}',
  operationId: 'getSnapshot',
  summary: 'Read a snapshot',
  tags,
  security,
  request: { params: snapshotParameters, query: noQuery },
  responses: { 200: json(snapshotSchema, 'The snapshot.'), ...problems },
});

const removeSnapshot = createRoute({
  method: 'delete',
  path: '/v1/storage/{id}/snapshots/{snapshot}',
  operationId: 'deleteSnapshot',
  summary: 'Delete a snapshot',
  tags,
  security,
  request: { params: snapshotParameters, query: noQuery },
  responses: { 200: json(z.object({ deleted: z.literal(true) }), 'It goes now, or is gone.'), ...problems },
});

export const storageRoutes = { list, create, get, change, remove, listSnapshots, createSnapshot, getSnapshot, removeSnapshot };

export function mountStorage(app: App, services: Services): void {
  mountVolumes(app, services);
  mountSnapshots(app, services);
}

function mountVolumes(app: App, services: Services): void {
  app.openapi(list, async (c) => {
    const { namespace, user, type, shared, limit = bounds.listPage.default, cursor } = c.req.valid('query');
    const page = await services.listVolumes(callerOf(c), {
      limit,
      ...(namespace === undefined ? {} : { namespace }),
      ...(user === undefined ? {} : { user }),
      ...(type === undefined ? {} : { type }),
      ...(shared === undefined ? {} : { shared }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    return c.json({ volumes: page.volumes.map(volumeAnswer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(create, async (c) => {
    const volume = await services.createVolume(callerOf(c), c.req.valid('json'));
    c.header('Location', `/v1/storage/${volume.id}`);
    return c.json(volumeAnswer(volume), 201);
  });

  app.openapi(get, async (c) => {
    const { volume, claim } = await services.getVolume(callerOf(c), c.req.valid('param').id);
    return c.json(volumeDetailsAnswer(volume, claim), 200);
  });

  app.openapi(change, async (c) => {
    const volume = await services.updateVolume(callerOf(c), c.req.valid('param').id, c.req.valid('json'));
    return c.json(volumeAnswer(volume), 200);
  });

  app.openapi(remove, async (c) => {
    const status = await services.deleteVolume(callerOf(c), c.req.valid('param').id);
    return c.json({ deleted: true, status } as const, 200);
  });
}

function mountSnapshots(app: App, services: Services): void {
  app.openapi(listSnapshots, async (c) => {
    const { limit = bounds.listPage.default, cursor } = c.req.valid('query');
    const options = { limit, ...(cursor === undefined ? {} : { cursor }) };
    const page = await services.listSnapshots(callerOf(c), c.req.valid('param').id, options);
    return c.json({ snapshots: page.snapshots.map(snapshotAnswer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(createSnapshot, async (c) => {
    const { id } = c.req.valid('param');
    const snapshot = await services.takeSnapshot(callerOf(c), id);
    c.header('Location', `/v1/storage/${id}/snapshots/${snapshot.id}`);
    return c.json(snapshotAnswer(snapshot), 201);
  });

  app.openapi(getSnapshot, async (c) => {
    const { id, snapshot } = c.req.valid('param');
    return c.json(snapshotAnswer(await services.getSnapshot(callerOf(c), id, snapshot)), 200);
  });

  app.openapi(removeSnapshot, async (c) => {
    const { id, snapshot } = c.req.valid('param');
    await services.removeSnapshot(callerOf(c), id, snapshot);
    return c.json({ deleted: true } as const, 200);
  });
}
