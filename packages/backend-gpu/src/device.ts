/**
 * The typed face of gpu.js: its own declarations fit neither string kernels nor Float32Array inputs, so the
 * casts are here and nowhere else.
 */
import { BackendError } from '@loretta-ts/core';
import { functionText, type KernelSource } from './source';

/** Modes of gpu.js that this backend runs. */
export type DeviceMode = 'cpu' | 'webasm' | 'webgpu';

/** A result that stays on the device (WebGPU). */
export interface Resident {
  toArray(): Promise<Float32Array>;
  delete(): void;
}

/** What goes into a kernel: host or resident arrays, then numbers. */
export type Argument = Float32Array | Resident | number;

/** Host memory in modes `cpu` and `webasm`, a promise in `webgpu`. */
export type Result = Float32Array | Promise<Resident>;

interface GpuJsKernel {
  (...args: readonly Argument[]): Result;
  setOutput(output: readonly [number]): unknown;
  readonly kernel: { readonly fallbackReason?: string | null };
}
interface GpuJsInstance {
  createKernel(source: string, settings: object): GpuJsKernel;
  destroy(): Promise<void>;
}
interface KernelClass {
  readonly isSupported: boolean;
}
interface GpuJs {
  readonly GPU: new (settings: { readonly mode: DeviceMode }) => GpuJsInstance;
  readonly CPUKernel: KernelClass;
  readonly WebAssemblyKernel: KernelClass;
  readonly WebGPUKernel: KernelClass;
}

const kernelClass = {
  cpu: 'CPUKernel',
  webasm: 'WebAssemblyKernel',
  webgpu: 'WebGPUKernel',
} as const satisfies Record<DeviceMode, keyof GpuJs>;

/** Loops bounded by an argument stop here; without it, silently, at 1000. */
const loopMaxIterations = 2 ** 24;

/** gpu.js with the kernels that were compiled so far. */
export class Device {
  readonly mode: DeviceMode;
  readonly #gpu: GpuJsInstance;
  readonly #class: KernelClass;
  readonly #kernels = new Map<string, { readonly run: GpuJsKernel; size: number }>();

  constructor(gpuJs: GpuJs, mode: DeviceMode) {
    this.mode = mode;
    this.#gpu = new gpuJs.GPU({ mode });
    this.#class = gpuJs[kernelClass[mode]];
  }

  /** Runs a kernel for `size` > 0 elements. In `webgpu` one call has to end before the next. @throws BackendError */
  run(source: KernelSource, args: readonly Argument[], size: number): Result {
    const known = this.#kernels.get(source.name);
    if (known !== undefined) {
      if (known.size !== size) known.run.setOutput([size]);
      known.size = size;
      return known.run(...args);
    }
    const run = this.#compile(source, size);
    const result = run(...args);
    this.#kernels.set(source.name, { run, size });
    if (result instanceof Promise) {
      return result.then((r) => {
        this.#assertClass(source.name, run);
        return r;
      });
    }
    this.#assertClass(source.name, run);
    return result;
  }

  destroy(): Promise<void> {
    this.#kernels.clear();
    return Promise.resolve(this.#gpu.destroy());
  }

  #compile(source: KernelSource, size: number): GpuJsKernel {
    const typed = (names: readonly string[], type: string) => names.map((n) => [n, type]);
    return this.#gpu.createKernel(functionText(source), {
      precision: 'single',
      tactic: 'precision',
      pipeline: true,
      immutable: true,
      dynamicOutput: true,
      dynamicArguments: true,
      loopMaxIterations,
      argumentTypes: Object.fromEntries([
        ...typed(source.arrays, 'Array'),
        ...typed(source.ints, 'Integer'),
        ...typed(source.floats, 'Float'),
      ]),
      output: [size],
    });
  }

  /** gpu.js changes to another kernel class on its own when one does not compile. */
  #assertClass(name: string, run: GpuJsKernel): void {
    const { fallbackReason } = run.kernel;
    const isOurs = run.kernel instanceof (this.#class as unknown as new () => object);
    if (isOurs && (fallbackReason ?? null) === null) return;
    throw new BackendError(
      'gpu',
      `gpu.js ran kernel ${name} outside mode ${this.mode} (${fallbackReason ?? 'no reason given'}): ` +
        'pin gpu.js to 2.24.1, or choose mode cpu',
    );
  }
}

/** True where the engine has what the mode needs; `webgpu` needs an adapter besides. */
export function isSupported(gpuJs: GpuJs, mode: DeviceMode): boolean {
  return mode === 'cpu' || gpuJs[kernelClass[mode]].isSupported;
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
  // A CommonJS module: what arrives beside `default` depends on the loader.
  const found = module.GPU === undefined ? module.default : module;
  if (found?.GPU === undefined) {
    throw new BackendError('gpu', 'gpu.js has no class GPU: npm install gpu.js@2.24.1');
  }
  return found as GpuJs;
}

/** The first line of what was thrown. */
function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
