/**
 * The typed face of gpu.js: its own declarations fit neither string kernels nor Float32Array inputs, so the
 * casts are here and nowhere else.
 */
import { BackendError } from '@loretta-ts/core';
import { type Pool, poolBuffers, poolTextures } from './pool';

/** A result that stays on the device. */
export interface Resident {
  toArray(): Float32Array | Promise<Float32Array>;
  delete(): void;
}

/** What goes into a kernel: host or resident arrays, then numbers. */
export type Argument = Float32Array | Resident | number;

/** Host memory in modes `cpu` and `webasm`, resident in the GL modes, a promise of it in `webgpu`. */
export type Result = Float32Array | Resident | Promise<Resident>;

/** What this package asks of a WebGL context. */
interface GlContext {
  readonly RENDERER: number;
  readonly MAX_TEXTURE_SIZE: number;
  getParameter(name: number): unknown;
  getExtension(name: string): { readonly UNMASKED_RENDERER_WEBGL?: number } | null;
  isContextLost(): boolean;
}
/** What this package asks of a WebGPU device. */
interface GpuDevice {
  readonly lost: Promise<{ readonly message: string }>;
  readonly limits: Readonly<Record<string, number>>;
}

/** A compiled kernel. */
export interface GpuJsKernel {
  (...args: readonly Argument[]): Result;
  setOutput(output: readonly [number] | readonly [number, number]): unknown;
  destroy(removeCanvas?: boolean): void;
  readonly kernel: {
    readonly fallbackReason?: string | null;
    /** Known once it was built. */
    readonly returnType?: string | null;
    /** WebGL's, or gpu.js's own record around a WebGPU device; null in modes `cpu` and `webasm`. */
    readonly context?: GlContext | { readonly device: GpuDevice } | null;
  };
}
interface GpuJsInstance {
  createKernel(source: string, settings: object): GpuJsKernel;
  destroy(): Promise<void>;
}
interface KernelClass {
  readonly isSupported: boolean;
}

/** Modes of gpu.js with the class that runs each. */
const kernelClasses = {
  webgpu: 'WebGPUKernel',
  webgl2: 'WebGL2Kernel',
  webgl: 'WebGLKernel',
  headlessgl: 'HeadlessGLKernel',
  webasm: 'WebAssemblyKernel',
  cpu: 'CPUKernel',
} as const;

/** Modes of gpu.js, by its names. */
export type GpuMode = keyof typeof kernelClasses;

/** What fits the machine best stands first; what does not run degrades to the next. */
export const gpuModes: readonly GpuMode[] = Object.keys(kernelClasses) as GpuMode[];

/** Of an instance; a context comes with the canvas that gpu.js resizes. */
export interface GpuJsSettings {
  readonly mode: GpuMode;
  readonly canvas?: object;
  readonly context?: object;
}

/**
 * The mode, in browsers with a WebGL context of our own. gpu.js resizes the canvas whenever a kernel changes its size, which
 * makes browsers allocate a frame that nobody sees: it is given a stand-in.
 */
export function settingsOf(mode: GpuMode): GpuJsSettings {
  if (mode !== 'webgl' && mode !== 'webgl2') return { mode };
  const canvas =
    typeof OffscreenCanvas === 'function'
      ? new OffscreenCanvas(1, 1)
      : globalThis.document?.createElement('canvas');
  const context = canvas?.getContext(mode, { alpha: false, depth: false, antialias: false });
  return context ? { mode, context, canvas: { width: 1, height: 1 } } : { mode };
}

/** The module gpu.js. */
export type GpuJs = {
  readonly GPU: new (settings: GpuJsSettings) => GpuJsInstance;
} & Readonly<Record<(typeof kernelClasses)[GpuMode], KernelClass>>;

/** Where results of a mode are: on the host, in textures, or in buffers that come by promise. */
export function residence(mode: GpuMode): 'host' | 'texture' | 'queue' {
  if (mode === 'webgpu') return 'queue';
  return mode === 'cpu' || mode === 'webasm' ? 'host' : 'texture';
}

/** The class whose instances run kernels of a mode. */
export function kernelClassOf(gpuJs: GpuJs, mode: GpuMode): KernelClass {
  return gpuJs[kernelClasses[mode]];
}

/** Name and largest texture or buffer of the device that a kernel ran on; null in modes `cpu` and `webasm`. */
export function deviceOf({ kernel }: GpuJsKernel): DeviceContext | null {
  const { context } = kernel;
  if (context === null || context === undefined) return null;
  if ('device' in context) {
    const { device } = context;
    const { lost, limits } = device;
    return {
      name: null,
      pool: (pool) => poolBuffers(device, pool),
      limits: { maxStorageBufferBindingSize: limits['maxStorageBufferBindingSize'] ?? 0 },
      isLost: () => false,
      lost: lost.then(({ message }) => message),
    };
  }
  const unmasked = context.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL;
  return {
    name: String(context.getParameter(unmasked ?? context.RENDERER)),
    pool: (pool) => poolTextures(context, pool),
    limits: { maxTextureSize: Number(context.getParameter(context.MAX_TEXTURE_SIZE)) },
    isLost: () => context.isContextLost(),
    lost: null,
  };
}

/** What is behind the kernels of a device. */
export interface DeviceContext {
  readonly name: string | null;
  readonly limits: Readonly<Record<string, number>>;
  isLost(): boolean;
  /** Results get their storage from a pool, until what this returns is called. */
  pool(pool: Pool): () => void;
  /** Resolves with the reason, where loss is told by promise. */
  readonly lost: Promise<string> | null;
}

/** The module gpu.js. `load` imports it. @throws BackendError with the line that installs it */
export async function loadGpuJs(
  load: () => Promise<unknown> = () => import('gpu.js'),
): Promise<GpuJs> {
  let module: Partial<GpuJs> & { readonly default?: Partial<GpuJs> };
  try {
    module = (await load()) as typeof module;
  } catch (error) {
    throw new BackendError(
      'gpu',
      `gpu.js does not load (${messageOf(error)}): npm install gpu.js@2.24.1`,
    );
  }
  // A CommonJS module, whose browser build hangs all its classes on GPU: what arrives depends on the loader.
  for (const found of [module, module.default, module.GPU, module.default?.GPU]) {
    const classes = found as Partial<GpuJs> | undefined;
    if (classes?.GPU !== undefined && classes.CPUKernel !== undefined) return classes as GpuJs;
  }
  throw new BackendError('gpu', 'gpu.js has no class GPU: npm install gpu.js@2.24.1');
}

/** The first line of what was thrown. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
