/**
 * Kernels that are replayed: the first run records what they launch, later runs launch it again without looking at shapes
 * or attributes. Only operands are looked up, since buffers get new arrays.
 */
import type { Buffer, Kernels, View } from '@loretta-ts/core';
import type { Check, DeviceArray, Launch } from './executor';
import type { Context } from './launch';

/** Stands for an array of a replay, by number. */
interface Symbolic extends DeviceArray {
  readonly slot: number;
}

/** What a kernel does, in order. */
type Action =
  | { readonly kind: 'load'; readonly op: string; readonly view: View; readonly slot: number }
  | {
      readonly kind: 'constant';
      readonly name: string;
      readonly make: () => Float32Array;
      readonly slot: number;
    }
  | { readonly kind: 'run'; readonly launch: Launch; readonly slot: number }
  | { readonly kind: 'store'; readonly view: View; readonly array: DeviceArray }
  | { readonly kind: 'release'; readonly array: DeviceArray };

interface Recording {
  readonly actions: readonly Action[];
  /** Offsets of all operands, and which share a buffer: another pattern needs another recording. */
  readonly pattern: readonly number[];
  /** What each slot holds in the running replay. */
  readonly slots: (DeviceArray | null)[];
}

/** Thrown where a kernel looks at values on the host: it runs as it is, every time. */
class HostValues extends Error {}

type AnyKernel = (ins: readonly View[], outs: readonly View[], attrs: object) => void;

/** Records kernels of a backend and plays them. */
export class Replayer {
  readonly #context: Context;
  /** Run at once, and run by recording what they do. */
  readonly #plain: Readonly<Record<string, AnyKernel>>;
  readonly #recording: Readonly<Record<string, AnyKernel>>;
  #actions: Action[] = [];
  #count = 0;
  #loaded = new Map<Buffer, Symbolic>();

  constructor(context: Context, kernelsOn: (context: Context) => Kernels) {
    this.#context = context;
    this.#plain = kernelsOn(context) as unknown as Record<string, AnyKernel>;
    this.#recording = kernelsOn(this.#recorder()) as unknown as Record<string, AnyKernel>;
  }

  /** The kernel for these operands, whose buffers and offsets may change between runs. */
  prepare(name: string, ins: readonly View[], outs: readonly View[], attrs: object): () => void {
    const views = [...ins, ...outs];
    let recording: Recording | 'none' | null = null;
    return () => {
      if (recording === null || (recording !== 'none' && !fits(recording.pattern, views))) {
        recording = this.#record(name, ins, outs, attrs);
      }
      if (recording === 'none') this.#plain[name]!(ins, outs, attrs);
      else play(this.#context, recording);
    };
  }

  #record(
    name: string,
    ins: readonly View[],
    outs: readonly View[],
    attrs: object,
  ): Recording | 'none' {
    this.#actions = [];
    this.#count = 0;
    this.#loaded = new Map();
    try {
      this.#recording[name]!(ins, outs, attrs);
    } catch (error) {
      if (error instanceof HostValues) return 'none';
      throw error;
    }
    const slots = Array.from({ length: this.#count }, () => null);
    return { actions: this.#actions, slots, pattern: patternOf([...ins, ...outs]) };
  }

  #symbol(length: number): Symbolic {
    return { length, known: null, range: null, slot: this.#count++ };
  }

  #recorder(): Context {
    const onHost = (): never => {
      throw new HostValues();
    };
    return {
      // looked up in every run: a table that was not used for long is dropped
      constants: {
        get: (name, make) => {
          const table = this.#symbol(0);
          this.#actions.push({ kind: 'constant', name, make, slot: table.slot });
          return table;
        },
      },
      packs: this.#context.packs,
      memory: {
        load: (op, view) => {
          const known = this.#loaded.get(view.buffer);
          if (known !== undefined) return known;
          const loaded = this.#symbol(view.size);
          this.#loaded.set(view.buffer, loaded);
          this.#actions.push({ kind: 'load', op, view, slot: loaded.slot });
          return loaded;
        },
        store: (view, array) => this.#actions.push({ kind: 'store', view, array }),
        ...{ integers: onHost, hasWords: onHost, storeIntegers: onHost },
      },
      executor: {
        upload: onHost,
        run: (launch) => {
          const result = this.#symbol(launch.size);
          this.#actions.push({ kind: 'run', launch, slot: result.slot });
          return result;
        },
        release: (array) => this.#actions.push({ kind: 'release', array }),
      },
    };
  }
}

function play({ executor, memory, constants }: Context, { actions, slots }: Recording): void {
  const real = (array: DeviceArray): DeviceArray =>
    'slot' in array ? slots[(array as Symbolic).slot]! : array;
  for (const action of actions) {
    if (action.kind === 'run') {
      const { launch, slot } = action;
      const before = (launch.before ?? []).map((c): Check => ({ ...c, array: real(c.array) }));
      slots[slot] = executor.run({ ...launch, arrays: launch.arrays.map(real), before });
    } else if (action.kind === 'load') slots[action.slot] = memory.load(action.op, action.view);
    else if (action.kind === 'constant') {
      slots[action.slot] = constants.get(action.name, action.make);
    } else if (action.kind === 'store') memory.store(action.view, real(action.array));
    else executor.release(real(action.array));
  }
  slots.fill(null);
}

function patternOf(views: readonly View[]): number[] {
  return views.flatMap(({ buffer, offset }) => [
    offset,
    views.findIndex((other) => other.buffer === buffer),
  ]);
}

/** Whether the operands lie as they did: the first view of each buffer is the same, and so are all offsets. */
function fits(pattern: readonly number[], views: readonly View[]): boolean {
  for (let i = 0; i < views.length; i++) {
    const { buffer, offset } = views[i]!;
    const first = pattern[2 * i + 1]!;
    if (offset !== pattern[2 * i] || views[first]!.buffer !== buffer) return false;
  }
  return true;
}
