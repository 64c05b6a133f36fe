/** Finds WebGPU: the browser's, or in Node the one of the npm package `webgpu` (Dawn). */

interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly device?: string;
  readonly description?: string;
}
interface Adapter {
  readonly info?: AdapterInfo;
}
interface GpuProvider {
  requestAdapter(options?: object): Promise<Adapter | null>;
}
interface Dawn {
  readonly globals: object;
  create(options: readonly string[]): GpuProvider;
}

/** The adapter's name, or why there is none. */
export type WebGpu =
  | { readonly adapter: string; readonly reason: null }
  | { readonly adapter: null; readonly reason: string };

/** Marks a `navigator.gpu` that was made here. */
const overGl = Symbol.for('@loretta-ts/backend-gpu: Dawn over OpenGL');

/** True once Dawn holds this process's OpenGL: a second user of it (headless GL) would end the process. */
export function dawnHoldsGl(): boolean {
  const present = (globalThis.navigator as { readonly gpu?: object } | undefined)?.gpu;
  return present !== undefined && overGl in present;
}

/**
 * Makes `navigator.gpu`, which gpu.js looks at, where it is missing: Dawn over OpenGL, which runs without a display
 * (EGL surfaceless) and without Vulkan. Changes globals only when Dawn has an adapter.
 */
export async function findWebGpu(
  load: () => Promise<unknown> = () => import('webgpu'),
): Promise<WebGpu> {
  const present = (globalThis.navigator as { readonly gpu?: GpuProvider } | undefined)?.gpu;
  if (present !== undefined) {
    const adapter = await present.requestAdapter();
    return adapter === null
      ? { adapter: null, reason: 'navigator.gpu has no adapter' }
      : { adapter: nameOf(adapter), reason: null };
  }
  if (typeof process === 'undefined') {
    return { adapter: null, reason: 'this browser has no navigator.gpu' };
  }
  let dawn: Dawn;
  try {
    dawn = (await load()) as Dawn;
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return {
      adapter: null,
      reason: `no navigator.gpu, and webgpu does not load (${why}): npm install webgpu@0.6.2`,
    };
  }
  if (process.env['DISPLAY'] === undefined) process.env['EGL_PLATFORM'] ??= 'surfaceless';
  const provider = dawn.create(['backend=opengl']);
  const requestAdapter = (options?: object) =>
    provider.requestAdapter({ ...options, featureLevel: 'compatibility' });
  const adapter = await requestAdapter();
  if (adapter === null) {
    return {
      adapter: null,
      reason:
        'Dawn found no adapter: OpenGL with EGL is needed (Debian: libegl-dev libgl1-mesa-dri), ' +
        'and a process that has not used headlessgl',
    };
  }
  Object.assign(globalThis, dawn.globals);
  const gpu = { requestAdapter, getPreferredCanvasFormat: () => 'bgra8unorm', [overGl]: true };
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    writable: true,
    value: Object.assign(Object.create(globalThis.navigator ?? null), { gpu }),
  });
  return { adapter: nameOf(adapter), reason: null };
}

function nameOf({ info }: Adapter): string {
  const parts = [info?.vendor, info?.architecture, info?.device, info?.description];
  const known = parts.filter((p) => p !== undefined && p !== '');
  return known.length > 0 ? known.join(' ') : 'unnamed adapter';
}
