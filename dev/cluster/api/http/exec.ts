/**
 * `pods/exec` over WebSocket (`v5.channel.k8s.io`, `v4.channel.k8s.io`): each message is one channel's bytes behind the channel's number.
 *
 * | channel | |
 * |---|---|
 * | 0, 1, 2 | stdin, stdout, stderr |
 * | 3 | how it ended: a `Status` |
 * | 4 | `{"Width":80,"Height":24}` of the terminal |
 * | 255 (v5) | the next byte names a channel that is closed: stdin ends |
 *
 * @module
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { ContainerExecOptions, ContainerProcess, Node } from '../../port.ts';
import { isTree } from '../json.ts';
import type { ObjectStore } from '../object-store.ts';
import { badRequest, StatusError } from '../status.ts';
import { findContainer } from './containers.ts';
import { booleanOf } from './parameters.ts';
import { statusOf } from './respond.ts';
import { carryOutput, LONGEST_MESSAGE, offeredProtocols, sendOn, toBuffer } from './websocket.ts';

export const EXEC_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

export interface ExecServer {
  /** Throws a refusal before the upgrade; what goes wrong later is told on the error channel. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    target: { readonly namespace: string | undefined; readonly name: string },
    query: URLSearchParams,
  ): void;
  close(): void;
}

export function createExecServer(objects: ObjectStore, node: () => Node): ExecServer {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: LONGEST_MESSAGE,
    handleProtocols: (offered) => EXEC_PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });
  return {
    upgrade(request, socket, head, target, query) {
      const { namespace = '', name } = target;
      const { pod, container } = findContainer(objects, namespace, name, query.get('container'));
      if (pod.spec?.nodeName === undefined) throw badRequest(`pod ${name} does not have a host assigned`);
      // After what is wrong with the request itself, which is what `kubectl` is to show.
      const offered = offeredProtocols(request);
      if (!EXEC_PROTOCOLS.some((protocol) => offered.includes(protocol)))
        throw new StatusError(403, 'Forbidden', `unable to upgrade: ${EXEC_PROTOCOLS.join(' or ')} is required`);
      server.handleUpgrade(request, socket, head, (websocket) => {
        void run(websocket, execOptions(query), (options) => node().exec(namespace, name, container, options));
      });
    },
    close() {
      for (const websocket of server.clients) websocket.terminate();
      server.close();
    },
  };
}

function execOptions(query: URLSearchParams): ContainerExecOptions {
  const tty = booleanOf(query, 'tty');
  // A terminal has one output; the real server ignores stderr beside it.
  return {
    command: query.getAll('command'),
    stdin: booleanOf(query, 'stdin'),
    stdout: booleanOf(query, 'stdout'),
    stderr: booleanOf(query, 'stderr') && !tty,
    tty,
  };
}

/** Runs the process and carries its streams. The process outlives a client that is cut off, as on a real kubelet. */
async function run(
  websocket: WebSocket,
  options: ContainerExecOptions,
  start: (options: ContainerExecOptions) => Promise<ContainerProcess>,
): Promise<void> {
  // Protocol errors and resets are followed by 'close', which is what counts.
  websocket.on('error', () => undefined);
  // Nothing is read before there is a process to give it to.
  websocket.pause();
  try {
    if (!options.stdin && !options.stdout && !options.stderr)
      throw new Error('unable to upgrade connection: you must specify at least 1 of stdin, stdout, stderr');
    const process = await start(options);
    carryInput(websocket, process, options);
    const outputs = [carryOutput(websocket, STDOUT, process.stdout), carryOutput(websocket, STDERR, process.stderr)];
    const exitCode = await process.exitCode;
    await Promise.all(outputs);
    finish(websocket, exitStatus(exitCode, options.command, websocket.protocol));
  } catch (error) {
    const { kind: _kind, apiVersion: _apiVersion, ...status } = statusOf(error).status;
    finish(websocket, status);
  }
}

/** The two protocols take different ways through the real server, and come out with different words. */
function exitStatus(exitCode: number, command: readonly string[], protocol: string): object {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  const words =
    protocol === EXEC_PROTOCOLS[0]
      ? `command terminated with exit code ${exitCode}`
      : `error executing command [${command.join(' ')}], exit code ${exitCode}`;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${words}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

function finish(websocket: WebSocket, status: object): void {
  // A paused socket would never see the client's half of the closing handshake.
  websocket.resume();
  if (websocket.readyState !== websocket.OPEN) return;
  sendOn(websocket, ERROR, Buffer.from(JSON.stringify(status)));
  websocket.close(1000);
}

function carryInput(websocket: WebSocket, process: ContainerProcess, { tty }: ContainerExecOptions): void {
  const { stdin } = process;
  const halfCloses = websocket.protocol === EXEC_PROTOCOLS[0];
  let open = stdin !== undefined;
  const end = (): void => {
    if (open) stdin?.end();
    open = false;
  };
  // A process that has closed its input, or has ended, takes nothing more; what still comes is read and dropped.
  const abandon = (): void => {
    open = false;
    websocket.resume();
  };
  stdin?.on('error', abandon);
  stdin?.on('close', abandon);
  stdin?.on('drain', () => websocket.resume());
  websocket.on('message', (data) => {
    const bytes = toBuffer(data);
    const channel = bytes[0];
    if (channel === STDIN && open && bytes.length > 1) {
      if (stdin?.write(bytes.subarray(1)) === false) websocket.pause();
    } else if (channel === RESIZE) resize(process, bytes.subarray(1));
    else if (channel === CLOSE && halfCloses && bytes[1] === STDIN) end();
  });
  // Under a terminal the end of input is a key the user presses, not the end of a connection.
  websocket.on('close', () => {
    if (!tty) end();
  });
  websocket.resume();
}

function resize(process: ContainerProcess, bytes: Buffer): void {
  let size: unknown;
  try {
    size = JSON.parse(bytes.toString('utf8'));
  } catch {
    return;
  }
  if (isTree(size) && Number.isInteger(size['Width']) && Number.isInteger(size['Height']))
    process.resize(Number(size['Width']), Number(size['Height']));
}
