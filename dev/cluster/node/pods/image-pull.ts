/**
 * A container's image. Nothing is fetched: it is there, or no registry has it, and the pod waits in the way that a kubelet has it wait.
 *
 * @module
 */
import { nextDelaySeconds } from '../back-off.ts';
import { findImage, invalidName, pullFailure } from '../images.ts';
import type { Image } from '../images.ts';
import type { Mount } from '../runtime/port.ts';
import { pause } from '../timers.ts';
import type { PodContext } from './pod-context.ts';

/** After this the message changes from `ErrImagePull` to `ImagePullBackOff`, as clients know it. */
const PULL_FAILED_MS = 2000;

type Wait = (reason: string, message: string) => void;

/** Resolves to the image, or to `undefined` at the end. `wait`: writes what the container is waiting for. */
export async function pullImage(context: PodContext, reference: string, wait: Wait, signal: AbortSignal): Promise<Image | undefined> {
  const { node, recordEvent } = context;
  const invalid = invalidName(reference);
  if (invalid !== undefined) {
    recordEvent('Warning', 'InspectFailed', invalid);
    wait('InvalidImageName', invalid);
    // Nothing but another pod changes that.
    await pause(Infinity, signal);
    return undefined;
  }
  const image = findImage(reference, node.images);
  const runs = image === undefined || image.content === 'machine' || node.runtime.runsEmptyImages;
  if (image !== undefined && runs) {
    recordEvent('Normal', 'Pulled', `Container image "${reference}" already present on machine`);
    return image;
  }
  const problem = pullFailure(reference, runs ? undefined : 'it runs in a sandbox only, with a helper, and this node has none');
  await waitInVain(context, reference, problem, wait, signal);
  return undefined;
}

async function waitInVain({ recordEvent }: PodContext, reference: string, problem: string, wait: Wait, signal: AbortSignal): Promise<void> {
  for (let delaySeconds = nextDelaySeconds(0, 0); !signal.aborted; delaySeconds = nextDelaySeconds(delaySeconds, 0)) {
    recordEvent('Normal', 'Pulling', `Pulling image "${reference}"`);
    recordEvent('Warning', 'Failed', problem);
    recordEvent('Warning', 'Failed', 'Error: ErrImagePull');
    wait('ErrImagePull', problem);
    await pause(PULL_FAILED_MS, signal);
    if (signal.aborted) return;
    recordEvent('Normal', 'BackOff', `Back-off pulling image "${reference}"`);
    recordEvent('Warning', 'Failed', 'Error: ImagePullBackOff');
    wait('ImagePullBackOff', `Back-off pulling image "${reference}": ErrImagePull: ${problem}`);
    await pause(delaySeconds * 1000, signal);
  }
}

/** What the image holds, where that is not the machine's own. */
export function imageMounts({ content }: Image, helper: string | undefined): readonly Mount[] {
  return content === 'helper' && helper !== undefined ? [{ source: helper, target: '/helper', readOnly: true }] : [];
}
