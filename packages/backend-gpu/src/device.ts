/** Compiled kernels of one gpu.js instance, by name and with a bound, and what they run on. */
import { BackendError } from '@loretta-ts/core';
import {
  type Argument,
  type DeviceContext,
  deviceOf,
  type GpuJs,
  type GpuJsKernel,
  type GpuMode,
  kernelClassOf,
  messageOf,
  type Resident,
  residence,
  type Result,
  settingsOf,
} from './gpu-js';
import { nativeSettings } from './native';
import { Pool, type StorageKind } from './pool';
import { functionText, type KernelSource } from './source';

/** Loops bounded by an argument stop here; without it, silently, at 1000. */
const loopMaxIterations = 2 ** 24;

/** Kernels that stay compiled. */
const mostKernels = 512;

/** A kernel that is ready to run, or will be at its first run. */
interface Compiled {
  readonly name: string;
  readonly run: GpuJsKernel;
  /** Number of its arguments. */
  readonly arity: number;
  size: number;
  width: number;
  /** gpu.js has run it in the mode that was asked for. */
  proven: boolean;
  /** Results that are on the device: gpu.js needs their kernel to read them. */
  live: number;
  /** Its last result. */
  last: Resident | null;
  /** The run that used it last, by number. */
  used: number;
}

/** gpu.js's `output`. */
type Output = readonly [number] | readonly [number, number];

function outputOf(size: number, width: number): Output {
  return width === size ? [size] : [width, size / width];
}

/** What a texture of the next result will be, once its kernel was built. */
function kindOf({ kernel }: GpuJsKernel, size: number, width: number): StorageKind {
  const numbers = kernel.returnType === 'Array(4)' ? 4 : 1;
  return { key: `${width},${size},${numbers}`, bytes: 4 * numbers * size };
}

/** What a device has done so far, and what it holds. */
export interface DeviceCounts {
  /** Kernels run, uploads among them. */
  readonly launches: number;
  /** Arrays that went from the host to the device. */
  readonly uploads: number;
  /** Arrays that went from the device to the host; 0 in modes `cpu` and `webasm`, whose results are there. */
  readonly reads: number;
  /** Kernels that are compiled. */
  readonly kernels: number;
  /** Arrays that are on the device; 0 in modes `cpu` and `webasm`. */
  readonly arrays: number;
  /** Arrays' storage that waits for the next array of its size. */
  readonly pooled: number;
  /** How often the device had to allocate, since none of the size was waiting. */
  readonly allocations: number;
}

/** gpu.js in one mode. */
export class Device {
  readonly mode: GpuMode;
  readonly #gpuJs: GpuJs;
  readonly #gpu: InstanceType<GpuJs['GPU']>;
  readonly #most: number;
  readonly #kernels = new Map<string, Compiled>();
  readonly #owners = new WeakMap<Resident, Compiled>();
  readonly #pool = new Pool();
  #context: DeviceContext | null = null;
  #unpool: (() => void) | null = null;
  #runs = 0;
  #uploads = 0;
  #reads = 0;
  #live = 0;
  #lost: string | null = null;

  constructor(gpuJs: GpuJs, mode: GpuMode, most: number = mostKernels) {
    this.mode = mode;
    this.#gpuJs = gpuJs;
    this.#most = most;
    this.#gpu = new gpuJs.GPU(settingsOf(mode));
  }

  /** What kernels run on, after the first has run; null in modes `cpu` and `webasm`. */
  get context(): DeviceContext | null {
    return this.#context;
  }

  /** What it has done so far, and what it holds. */
  get counts(): DeviceCounts {
    return {
      ...{ launches: this.#runs, uploads: this.#uploads, reads: this.#reads },
      ...{ kernels: this.#kernels.size, arrays: this.#live },
      ...{ pooled: this.#pool.size, allocations: this.#pool.allocated },
    };
  }

  /** Runs a kernel for `size` > 0 elements, in rows of `width`. In `webgpu` one call has to end before the next. @throws BackendError */
  run(source: KernelSource, args: readonly Argument[], size: number, width: number = size): Result {
    this.assertAlive();
    const compiled = this.#kernels.get(source.name) ?? this.#compile(source, size, width);
    if (args.length !== compiled.arity) {
      throw new BackendError('gpu', `two kernels are called ${source.name}: names are unique`);
    }
    this.#runs++;
    if (source.fromHost === true) this.#uploads++;
    compiled.used = this.#runs;
    // A GL kernel that is given its own last result mixes up textures of different sizes, unless it gets a new one.
    const ownResult = args.some((a) => typeof a === 'object' && a === compiled.last);
    this.#pool.next = compiled.proven ? kindOf(compiled.run, size, width) : null;
    if (compiled.size !== size || compiled.width !== width || ownResult) {
      compiled.run.setOutput(outputOf(size, width));
      Object.assign(compiled, { size, width });
    }
    let result: Result;
    try {
      result = compiled.run(...args);
    } catch (error) {
      throw this.#failed(source.name, error);
    }
    if (result instanceof Promise) {
      return result.then(
        (r) => this.#own(compiled, r),
        (error: unknown) => Promise.reject(this.#failed(source.name, error)),
      );
    }
    if (result instanceof Float32Array) {
      this.#assertClass(compiled);
      return result;
    }
    return this.#own(compiled, result);
  }

  /** Values of a result. @throws BackendError when the context is lost */
  read(resident: Resident): Float32Array | Promise<Float32Array> {
    this.assertAlive();
    this.#reads++;
    const values = resident.toArray();
    if (!(values instanceof Promise)) {
      // A context that was lost in between reads zeros.
      this.assertAlive();
      return values;
    }
    return values.catch((error: unknown) => Promise.reject(this.#failed('read', error)));
  }

  /** A result is no longer needed. */
  release(resident: Resident): void {
    const owner = this.#owners.get(resident);
    if (owner === undefined) return;
    this.#owners.delete(resident);
    if (owner.last === resident) owner.last = null;
    owner.live--;
    this.#live--;
    resident.delete();
  }

  /** @throws BackendError once the context is lost: what it held is gone */
  assertAlive(): void {
    if (this.#lost === null && this.#context?.isLost() === true) this.#lost = 'the WebGL context';
    if (this.#lost === null) return;
    throw new BackendError(
      'gpu',
      `${this.#lost} was lost, and all tensors on it: make a new backend and load the last checkpoint`,
    );
  }

  async destroy(): Promise<void> {
    this.#kernels.clear();
    this.#pool.close();
    await this.#gpu.destroy();
    this.#unpool?.();
  }

  #own(compiled: Compiled, resident: Resident): Resident {
    if (this.#context === null) this.#meet(compiled.run);
    this.#assertClass(compiled);
    compiled.live++;
    this.#live++;
    compiled.last = resident;
    this.#owners.set(resident, compiled);
    return resident;
  }

  #meet(run: GpuJsKernel): void {
    this.#context = deviceOf(run);
    this.#unpool = this.#context?.pool(this.#pool) ?? null;
    void this.#context?.lost?.then((message) => {
      this.#lost = `the WebGPU device (${message})`;
    });
  }

  #compile(source: KernelSource, size: number, width: number): Compiled {
    if (this.#kernels.size >= this.#most) this.#evict();
    const textures = residence(this.mode) === 'texture' && source.fromHost !== true;
    const typed = (names: readonly string[], type: string) => names.map((n) => [n, type]);
    const run = this.#gpu.createKernel(functionText(source), {
      precision: 'single',
      tactic: 'precision',
      pipeline: true,
      immutable: true,
      dynamicOutput: true,
      dynamicArguments: true,
      loopMaxIterations,
      ...nativeSettings(this.mode),
      argumentTypes: Object.fromEntries([
        ...typed(source.arrays, textures ? 'ArrayTexture(1)' : 'Array'),
        ...typed(source.packed ?? [], 'ArrayTexture(4)'),
        ...typed(source.ints, 'Integer'),
        ...typed(source.floats, 'Float'),
      ]),
      output: outputOf(size, width),
    });
    const compiled: Compiled = {
      ...{ name: source.name, run, size, width },
      arity: source.arrays.length + source.ints.length + source.floats.length,
      ...{ proven: false, live: 0, last: null, used: 0 },
    };
    this.#kernels.set(source.name, compiled);
    return compiled;
  }

  /** Drops the kernel whose last run is longest ago, of those without results on the device. */
  #evict(): void {
    let oldest: Compiled | null = null;
    for (const compiled of this.#kernels.values()) {
      if (compiled.live > 0) continue;
      if (oldest === null || compiled.used < oldest.used) oldest = compiled;
    }
    if (oldest === null) return;
    this.#kernels.delete(oldest.name);
    oldest.run.destroy(false);
  }

  #failed(what: string, error: unknown): BackendError {
    if (error instanceof BackendError) return error;
    const message = messageOf(error);
    if (/device was lost|context lost/i.test(message)) this.#lost ??= 'the GPU device';
    return new BackendError('gpu', `${what}: gpu.js in mode ${this.mode} failed: ${message}`);
  }

  /** gpu.js changes to another kernel class on its own when one does not compile. */
  #assertClass(compiled: Compiled): void {
    if (compiled.proven) return;
    const { name, run } = compiled;
    const { fallbackReason } = run.kernel;
    const ours = kernelClassOf(this.#gpuJs, this.mode) as unknown as new () => object;
    compiled.proven = run.kernel instanceof ours && (fallbackReason ?? null) === null;
    if (compiled.proven) return;
    throw new BackendError(
      'gpu',
      `gpu.js ran kernel ${name} outside mode ${this.mode} (${fallbackReason ?? 'no reason given'}): ` +
        'pin gpu.js to 2.24.1, or choose mode cpu',
    );
  }
}
