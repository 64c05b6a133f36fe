/** Which mode of gpu.js runs here. */
import { BackendError } from '@loretta-ts/core';
import type { DeviceMode } from './device';
import { findWebGpu, type WebGpu } from './webgpu';

/** The best first: what does not run degrades to the next. */
const order: readonly DeviceMode[] = ['webgpu', 'webasm', 'cpu'];

/** What was found to run. */
export interface Found {
  readonly mode: DeviceMode;
  /** Adapter string of `webgpu`. */
  readonly device: string | null;
  readonly fallbackReason: string | null;
}

export function isDeviceMode(mode: string): mode is DeviceMode {
  return (order as readonly string[]).includes(mode);
}

/**
 * The mode that was asked for or, without `require`, the next that runs.
 * @throws BackendError when none does, or with `require` not the one that was asked for
 */
export async function chooseMode(
  asked: DeviceMode,
  require: boolean,
  supported: (mode: DeviceMode) => boolean,
  find: () => Promise<WebGpu> = findWebGpu,
): Promise<Found> {
  const reasons: string[] = [];
  for (const mode of order.slice(order.indexOf(asked))) {
    const { device, reason } = await tryMode(mode, supported, find);
    if (reason === null) {
      return { mode, device, fallbackReason: reasons.length > 0 ? reasons.join('; ') : null };
    }
    if (require) throw new BackendError('gpu', `mode ${mode} cannot run: ${reason}`);
    reasons.push(`${mode}: ${reason}`);
  }
  throw new BackendError('gpu', reasons.join('; '));
}

async function tryMode(
  mode: DeviceMode,
  supported: (mode: DeviceMode) => boolean,
  find: () => Promise<WebGpu>,
): Promise<{ readonly device: string | null; readonly reason: string | null }> {
  if (mode === 'webgpu') {
    const { adapter, reason } = await find();
    if (reason !== null) return { device: null, reason };
    const fits = supported(mode);
    return { device: adapter, reason: fits ? null : 'gpu.js does not support this WebGPU' };
  }
  return { device: null, reason: supported(mode) ? null : 'the engine has no WebAssembly SIMD' };
}
