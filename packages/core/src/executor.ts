/** Replays a program kernel by kernel over planned buffers. */
import { allocate, kernelFor, room } from './apply';
import type { Backend, Buffer, Kernel } from './backend';
import { chained, type MovingView, type Step } from './chain';
import { sizeOf } from './dtype';
import { type Place, plan, type Plan } from './plan';
import type { Instruction, Program } from './program';
import { Storage } from './storage';
import { Tensor } from './tensor';

/** The memory of an input or of a slot, and the views on it that are rebound when it changes. */
interface Anchor {
  buffer: Buffer;
  offset: number;
  readonly views: { readonly view: MovingView; readonly inner: number }[];
}

const nowhere: Buffer = { bytes: 0 };

function bind(anchor: Anchor, buffer: Buffer, offset: number): void {
  if (anchor.buffer === buffer && anchor.offset === offset) return;
  anchor.buffer = buffer;
  anchor.offset = offset;
  for (const { view, inner } of anchor.views) {
    view.buffer = buffer;
    view.offset = offset + inner;
  }
}

/** A program with its kernels looked up and its buffers laid out. */
export class Executor {
  readonly plan: Plan;
  private readonly program: Program;
  private readonly backend: Backend;
  /** By input: whether the program writes into its memory. */
  private readonly donated: readonly boolean[];
  /** What does not depend on inputs: run when the slots are allocated. */
  private readonly once: readonly Step[];
  private readonly steps: readonly Step[];
  private readonly inputs: readonly Anchor[];
  private readonly slots: readonly Anchor[];
  private readonly outputs: readonly Anchor[];
  /** By output of the program. */
  private readonly results: readonly { readonly place: Place; readonly offset: number }[];
  /** Whether the slots have memory. */
  private ready = false;

  constructor(program: Program, backend: Backend, donated: ReadonlySet<number>) {
    this.program = program;
    this.backend = backend;
    this.plan = plan(program, donated, backend.wholeArrays);
    const anchors = (of: readonly unknown[]): Anchor[] =>
      of.map(() => ({ buffer: nowhere, offset: 0, views: [] }));
    this.inputs = anchors(program.inputs);
    this.slots = anchors(this.plan.slots);
    this.outputs = anchors(this.plan.outputs);
    const written = new Set<number>();
    const once: Step[] = [];
    const steps: Step[] = [];
    for (const i of program.instructions) {
      const avals = i.ins.map((v) => program.vars[v]!);
      if ((i.op.viewOffset?.(avals, i.attrs) ?? null) !== null) continue;
      for (const v of i.outs) {
        const { place } = this.plan.places.get(v)!;
        if (place.kind === 'input') written.add(place.index);
      }
      const kernel = kernelFor(backend, i.op, avals) as Kernel<'add'>;
      (this.plan.once.has(i) ? once : steps).push(this.step(i, kernel));
    }
    this.donated = program.inputs.map((_, i) => written.has(i));
    this.once = once;
    this.steps = chained(steps, backend.blockElements ?? Number.POSITIVE_INFINITY);
    this.results = program.outputs.map((v) => this.plan.places.get(v)!);
  }

  private step({ op, ins, outs, attrs }: Instruction, kernel: Kernel<'add'>): Step {
    const from = ins.map((v) => this.viewOf(v));
    const to = outs.map((v) => this.viewOf(v));
    const prepared = this.backend.prepare?.(op.name, from, to, attrs);
    const elementwise = op.elementwise === true;
    return { kernel: prepared ?? kernel, ins: from, outs: to, attrs, elementwise };
  }

  private viewOf(v: number): MovingView {
    const { place, offset } = this.plan.places.get(v)!;
    const { shape, dtype } = this.program.vars[v]!;
    const view: MovingView = {
      ...{ buffer: nowhere, offset, shape, dtype },
      ...{ size: sizeOf(shape), memory: memoryOf(place) },
    };
    if (place.kind === 'constant') {
      const constant = this.program.constants.get(place.v)!.view();
      view.buffer = constant.buffer;
      view.offset = constant.offset + offset;
    } else {
      const anchors = { input: this.inputs, slot: this.slots, output: this.outputs }[place.kind];
      anchors[place.index]!.views.push({ view, inner: offset });
    }
    return view;
  }

  /** Runs once. Donated inputs give their memory away: their handles must not be used again. */
  run(inputs: readonly Tensor[]): Tensor[] {
    if (!this.ready) this.wake();
    const { backend, donated } = this;
    const copies: Tensor[] = [];
    const own = [...inputs];
    const fresh: Storage[] = [];
    const twice = new Set(inputs).size < inputs.length;
    try {
      for (let i = 0; i < inputs.length; i++) {
        let t = inputs[i]!;
        const again = twice && inputs.indexOf(t) !== inputs.lastIndexOf(t);
        if (donated[i]! && (again || t.storage.refs !== 1)) {
          t = this.copied(t, copies);
          own[i] = t;
        }
        bind(this.inputs[i]!, t.storage.buffer ?? t.view().buffer, t.offset);
      }
      for (const [i, { size, dtype }] of this.plan.outputs.entries()) {
        const buffer = room(backend, { shape: [size], dtype }, 'capture');
        fresh.push(new Storage(backend, dtype, size, buffer, null));
        bind(this.outputs[i]!, buffer, 0);
      }
      for (const { kernel, ins, outs, attrs } of this.steps) kernel(ins, outs, attrs);
      return this.program.outputs.map((v, i) => this.result(v, this.results[i]!, own, fresh));
    } finally {
      for (const storage of fresh) storage.release();
      for (const t of copies) t.dispose();
    }
  }

  /** A donated input that others still see is copied first. */
  private copied(t: Tensor, copies: Tensor[]): Tensor {
    const flat = { ...t.view(), shape: [t.size] };
    const copy = allocate(this.backend, { shape: t.shape, dtype: t.dtype }).keep();
    copies.push(copy);
    this.backend.kernels.concat([flat], [{ ...copy.view(), shape: [t.size] }], { axis: 0 });
    return copy;
  }

  private result(
    v: number,
    { place, offset }: { readonly place: Place; readonly offset: number },
    inputs: readonly Tensor[],
    fresh: readonly Storage[],
  ): Tensor {
    const { storage, offset: base } =
      place.kind === 'input'
        ? inputs[place.index]!
        : place.kind === 'constant'
          ? this.program.constants.get(place.v)!
          : { storage: fresh[place.index]!, offset: 0 }; // the plan puts no result into a slot
    storage.retain();
    return new Tensor(this.program.vars[v]!.shape, storage, base + offset);
  }

  /** Gives the slots memory, and runs what does not depend on inputs. */
  private wake(): void {
    try {
      this.plan.slots.forEach(({ size, dtype }, i) => {
        bind(this.slots[i]!, room(this.backend, { shape: [size], dtype }, 'capture'), 0);
      });
      for (const { kernel, ins, outs, attrs } of this.once) kernel(ins, outs, attrs);
      this.ready = true;
    } catch (error) {
      this.rest();
      throw error;
    }
  }

  /** Frees the slots until the next run. */
  rest(): void {
    this.ready = false;
    for (const slot of this.slots) {
      if (slot.buffer === nowhere) continue;
      this.backend.free(slot.buffer);
      bind(slot, nowhere, 0);
    }
  }

  /** Frees the slots and the constants. */
  dispose(): void {
    this.rest();
    for (const t of this.program.constants.values()) t.dispose();
  }
}

/** Variables with the same name here may share memory. */
function memoryOf(place: Place): string {
  return place.kind === 'constant' ? 'constant' : `${place.kind} ${place.index}`;
}
