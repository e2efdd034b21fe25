/**
 * The helper over a kept exec stream of `helper connect`. The API server has told who calls, so there is no handshake.
 *
 * @module
 */
import { Duplex } from 'node:stream';
import type { ExecStream, Kubernetes } from '../kubernetes/port.ts';
import type { HelperBinaries } from './binaries.ts';
import { deliver, lastWords } from './delivery.ts';
import { deliveryFailure } from './delivery-failure.ts';
import { connectCommand, deliveryCommand } from './delivery-script.ts';
import { readPod, translateOpening, untilOpened } from './opening.ts';
import type { PodTarget, Transport } from './port.ts';

export interface ExecTransportOptions {
  readonly kubernetes: () => Promise<Kubernetes>;
  readonly binaries: HelperBinaries;
}

/** Where the helper is still to come by upload, `open` delivers it; errors as `deliver` has them. */
export function createExecTransport({ kubernetes, binaries }: ExecTransportOptions): Transport {
  return {
    kind: 'exec',
    async open(target, signal) {
      signal.throwIfAborted();
      const cluster = await kubernetes();
      const life = untilOpened(signal);
      try {
        // At the same time: what is wrong with the pod is seldom, and the answer takes as long as the stream.
        const [stream] = await Promise.all([start(cluster, target, life.signal), readPod(cluster, target, life.signal)]);
        const stderr = lastWords(stream.stderr);
        if (target.delivery === 'upload') await deliver(stream, binaries, stderr);
        life.opened();
        return channel(stream, stderr);
      } catch (error) {
        life.abandon();
        signal.throwIfAborted();
        throw error;
      }
    },
  };
}

function start(cluster: Kubernetes, target: PodTarget, signal: AbortSignal): Promise<ExecStream> {
  const command = target.delivery === 'init' ? connectCommand : deliveryCommand;
  const { namespace, pod, container } = target;
  return cluster.exec({ namespace, pod, container, command, stdin: true, signal }).catch((error: unknown) => {
    throw translateOpening(error, signal);
  });
}

/**
 * stdin and stdout as one stream. It fails with the reason where the command fails, then or later; a command that ends well ends it.
 * (`ExecStream.duplex` has no place for that reason: it is told a moment after the streams have ended.)
 */
function channel(stream: ExecStream, stderr: () => string): Duplex {
  const { stdin, stdout, exit } = stream;
  const duplex = new Duplex({
    read: () => void stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => void stdin.write(chunk, done),
    final: (done) => void stdin.end(done),
    destroy: (error, done) => {
      stream.close();
      done(error);
    },
  });
  // Whoever gets the stream may come to listen a moment after it broke.
  duplex.on('error', () => undefined);
  stdout.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) stdout.pause();
  });
  const end = async (): Promise<void> => {
    const ended = await exit;
    if (ended.type === 'exited' && ended.exitCode === 0) duplex.push(null);
    else duplex.destroy(deliveryFailure(ended, stderr()));
  };
  stdout.on('end', () => void end());
  return duplex;
}
