/**
 * The framing of `pods/portforward` over a WebSocket, for one port: each binary message is one channel byte and its payload. Pure functions.
 *
 * Subprotocol `v4.channel.k8s.io`: channel 0 carries the bytes both ways, channel 1 what went wrong, as text. The first message of each is
 * the port, two bytes, little-endian
 * (https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go). The API
 * server hands the WebSocket through to the kubelet as it is (tried with 1.34 and containerd; the newer `v2.portforward.k8s.io` tunnels
 * SPDY, and `v5.channel.k8s.io` is refused with 403).
 *
 * @module
 */
export const portForwardSubprotocols = ['v4.channel.k8s.io'];

export type PortForwardFrame =
  | { readonly type: 'data' | 'error'; readonly payload: Buffer }
  | { readonly type: 'invalid'; readonly message: string };

export function portForwardPath({ namespace, pod, port }: { namespace: string; pod: string; port: number }): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/portforward?ports=${String(port)}`;
}

export function parsePortForwardFrame(message: Buffer, isBinary: boolean): PortForwardFrame {
  if (!isBinary) return { type: 'invalid', message: 'a text message' };
  if (message[0] === 0) return { type: 'data', payload: message.subarray(1) };
  if (message[0] === 1) return { type: 'error', payload: message.subarray(1) };
  return { type: 'invalid', message: message[0] === undefined ? 'an empty message' : `a message on channel ${String(message[0])}` };
}

/** Whether the first message of a channel names the port that was asked for. */
export function isPortHeader(payload: Buffer, port: number): boolean {
  return payload.length === 2 && payload.readUInt16LE(0) === port;
}
