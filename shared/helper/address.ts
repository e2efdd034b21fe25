/**
 * Where the helper listens in its pod, from `helper/PROTOCOL.md`.
 *
 * @module
 */
export const helperPort = 7171;
