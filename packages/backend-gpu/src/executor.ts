/**
 * Runs kernels at once, on host memory or on textures, or through a serial queue (WebGPU, where every call is a
 * promise).
 */
import type { Device } from './device';
import { type Argument, type Resident, residence } from './gpu-js';
import type { KernelSource } from './source';

/** Immutable values on the device; every kernel run makes new ones. */
export interface DeviceArray {
  readonly length: number;
  /** The values, where the host has them without waiting. */
  readonly known: Float32Array | null;
  /** Bounds that all elements are known to lie in without reading them; integers only. */
  readonly range: Range | null;
}

/** Smallest and largest. */
export type Range = readonly [min: number, max: number];

/** Something to assert about values; throws. */
export interface Check {
  readonly array: DeviceArray;
  test(values: Float32Array): void;
  /** Not read at all where the array is known to lie in it. */
  readonly within?: Range | undefined;
}

export interface Launch {
  readonly source: KernelSource;
  readonly arrays: readonly DeviceArray[];
  readonly ints: readonly number[];
  readonly floats: readonly number[];
  /** Elements of the result, at least 1. */
  readonly size: number;
  /** Elements of a row, where the result is to be indexed by row and column (GL modes); divides `size`. */
  readonly width?: number | undefined;
  /** Run before the kernel. A failure is thrown here, or by whoever reads a result that depends on it. */
  readonly before?: readonly Check[];
  /** Asserts the result. */
  readonly after?: ((values: Float32Array) => void) | undefined;
  /** Bounds of the result, or those of the first array. */
  readonly range?: Range | 'first' | undefined;
  /** The first array owns the result: it goes when that goes, and until then the same launch gives it again. */
  readonly kept?: boolean;
}

/** What kernels ask of an executor. */
export interface KernelExecutor {
  /** `data` is taken over. `keep`: the host may remember it as `known`. */
  upload(data: Float32Array, keep: boolean): DeviceArray;
  run(launch: Launch): DeviceArray;
  /** No launch uses the array afterwards. */
  release(array: DeviceArray): void;
}

export interface Executor extends KernelExecutor {
  /** Null where values arrive only by promise. */
  readonly readSync: ((array: DeviceArray) => Float32Array) | null;
  read(array: DeviceArray): Promise<Float32Array>;
  dispose(): Promise<void>;
}

interface HostArray extends DeviceArray {
  readonly known: Float32Array;
}

function valuesOf(array: DeviceArray): Float32Array {
  return (array as HostArray).known;
}

function hostArray(known: Float32Array): HostArray {
  return { length: known.length, known, range: null };
}

function rangeOf({ range, arrays }: Launch): Range | null {
  return range === 'first' ? arrays[0]!.range : (range ?? null);
}

/** Checks that need a look at values. */
function doubtful(before: readonly Check[] | undefined): readonly Check[] {
  return (before ?? []).filter(({ within, array: { range } }) => {
    const proven = within !== undefined && range !== null;
    return !(proven && range[0] >= within[0] && range[1] <= within[1]);
  });
}

const uploadSource: KernelSource = {
  name: 'upload',
  arrays: ['a'],
  ints: [],
  floats: [],
  body: 'return a[this.thread.x];',
  fromHost: true,
};

/** Longer uploads are not remembered on the host. */
const longestKnown = 65536;

/** Runs kernels where the device's mode has its results. */
export function executorOn(device: Device): Executor {
  const makers = { host: hostExecutor, texture: textureExecutor, queue: queuedExecutor };
  return keeping(makers[residence(device.mode)](device));
}

/** Keeps results with the arrays that they were made from. */
function keeping(executor: Executor): Executor {
  const results = new WeakMap<DeviceArray, Map<string, DeviceArray>>();
  return {
    ...executor,
    run(launch): DeviceArray {
      if (launch.kept !== true) return executor.run(launch);
      const [owner] = launch.arrays;
      const own = results.get(owner!) ?? new Map<string, DeviceArray>();
      const key = `${launch.source.name}:${launch.ints}`;
      const result = own.get(key) ?? executor.run(launch);
      results.set(owner!, own.set(key, result));
      return result;
    },
    release(array): void {
      for (const result of results.get(array)?.values() ?? []) executor.release(result);
      executor.release(array);
    },
  };
}

/** Modes `cpu` and `webasm`: results are host arrays. */
function hostExecutor(device: Device): Executor {
  return {
    upload: hostArray,
    run({ source, arrays, ints, floats, size, before, after }): DeviceArray {
      for (const { array, test } of before ?? []) test(valuesOf(array));
      const args: Argument[] = [...arrays.map(valuesOf), ...ints, ...floats];
      const result = device.run(source, args, size) as Float32Array;
      after?.(result);
      return hostArray(result);
    },
    readSync: valuesOf,
    read: async (array) => valuesOf(array),
    release: () => {},
    dispose: () => device.destroy(),
  };
}

interface TextureArray extends DeviceArray {
  readonly texture: Resident;
}

/** The GL modes: calls run at once, results stay in textures. */
function textureExecutor(device: Device): Executor {
  const textureOf = (array: DeviceArray): Resident => (array as TextureArray).texture;
  const values = (array: DeviceArray): Float32Array =>
    array.known ?? (device.read(textureOf(array)) as Float32Array);
  return {
    upload(data, keep): TextureArray {
      const { length } = data;
      const known = keep && length <= longestKnown ? data : null;
      return {
        length,
        known,
        range: null,
        texture: device.run(uploadSource, [data], length) as Resident,
      };
    },
    run(launch): TextureArray {
      const { source, arrays, ints, floats, size, width, before, after } = launch;
      for (const { array, test } of doubtful(before)) test(values(array));
      const args: Argument[] = [...arrays.map(textureOf), ...ints, ...floats];
      const texture = device.run(source, args, size, width) as Resident;
      after?.(device.read(texture) as Float32Array);
      return { length: size, known: null, range: rangeOf(launch), texture };
    },
    readSync: values,
    read: async (array) => values(array),
    release: (array) => device.release(textureOf(array)),
    dispose: () => device.destroy(),
  };
}

interface QueuedArray extends DeviceArray {
  /** Rejected when this, or anything it was computed from, failed. */
  readonly resident: Promise<Resident>;
}

/** Mode `webgpu`: calls wait for each other, since gpu.js builds and resizes kernels asynchronously. */
function queuedExecutor(device: Device): Executor {
  let last: Promise<unknown> = Promise.resolve();
  const enqueue = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    // A failure belongs to whoever reads the value; the queue goes on.
    last = done.catch(() => undefined);
    return done;
  };
  const residentOf = (array: DeviceArray): Promise<Resident> => (array as QueuedArray).resident;
  const values = async (array: DeviceArray): Promise<Float32Array> =>
    array.known ?? device.read(await residentOf(array));
  const queuedArray = (
    length: number,
    known: Float32Array | null,
    range: Range | null,
    work: () => Promise<Resident>,
  ): QueuedArray => {
    const resident = enqueue(work);
    resident.catch(() => undefined);
    return { length, known, range, resident };
  };

  return {
    upload: (data, keep) =>
      queuedArray(
        data.length,
        keep && data.length <= longestKnown ? data : null,
        null,
        async () => (await device.run(uploadSource, [data], data.length)) as Resident,
      ),
    run(launch): DeviceArray {
      const { source, arrays, ints, floats, size, after } = launch;
      const before = doubtful(launch.before);
      for (const { array, test } of before) if (array.known !== null) test(array.known);
      return queuedArray(size, null, rangeOf(launch), async () => {
        const inputs = await Promise.all(arrays.map(residentOf));
        for (const { array, test } of before) {
          if (array.known === null) test(await values(array));
        }
        const args: Argument[] = [...inputs, ...ints, ...floats];
        const result = (await device.run(source, args, size)) as Resident;
        if (after !== undefined) after(await device.read(result));
        return result;
      });
    },
    readSync: null,
    read: (array) =>
      enqueue(() => {
        device.assertAlive();
        return values(array);
      }),
    release(array): void {
      void enqueue(async () => device.release(await residentOf(array))).catch(() => undefined);
    },
    async dispose(): Promise<void> {
      await last;
      await device.destroy();
    },
  };
}
