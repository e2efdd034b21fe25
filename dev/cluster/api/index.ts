/**
 * The Kubernetes API of the embedded cluster: objects, controllers, HTTP.
 *
 * @module
 */
export { startControllers } from './controllers/start.ts';
export { startApiServer } from './http/server.ts';
export { kubeconfig } from './kubeconfig.ts';
export { openObjects } from './object-store.ts';
export type { ObjectStore } from './object-store.ts';
export { NODE_NAME } from './resources.ts';
