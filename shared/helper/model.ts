/**
 * Words
 * - **helper**: the one process of ours in a session's pod: it starts and ends commands, holds terminals and output, moves files.
 * - **channel**: the connection to a helper: TCP to the pod's address (`direct`), a kept exec stream of `helper connect` (`exec`), or a
 *   port-forward to the helper's port.
 *
 * @module
 */
export const channelKinds = ['direct', 'exec', 'port-forward'] as const;
export type ChannelKind = (typeof channelKinds)[number];
