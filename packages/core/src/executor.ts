/** Replays a program kernel by kernel over planned buffers. */
import { allocate, kernelFor } from './apply';
import type { Backend, Buffer, Kernel, View } from './backend';
import { sizeOf } from './dtype';
import { CaptureError } from './errors';
import { type Place, plan, type Plan } from './plan';
import type { Program } from './program';
import { Tensor, ValueRef } from './tensor';

interface MovingView {
  buffer: Buffer;
  offset: number;
  readonly shape: View['shape'];
  readonly dtype: View['dtype'];
  readonly size: number;
}

interface Step {
  readonly kernel: Kernel<'add'>;
  readonly ins: readonly MovingView[];
  readonly outs: readonly MovingView[];
  readonly attrs: object;
}

/** A program with its kernels looked up and its buffers laid out. */
export class Executor {
  readonly plan: Plan;
  private readonly program: Program;
  private readonly backend: Backend;
  private readonly donated: ReadonlySet<number>;
  private readonly slots: Buffer[];
  private readonly steps: readonly Step[];
  /** Views whose buffer changes from run to run, by input and by output. */
  private readonly inputViews: readonly (readonly [MovingView, number])[][];
  private readonly outputViews: readonly MovingView[][];

  constructor(program: Program, backend: Backend, donated: ReadonlySet<number>) {
    this.program = program;
    this.backend = backend;
    this.donated = donated;
    this.plan = plan(program, donated);
    this.slots = this.plan.slots.map((s) => backend.alloc(s.size, s.dtype));
    const inputViews: (readonly [MovingView, number])[][] = program.inputs.map(() => []);
    const outputViews: MovingView[][] = this.plan.outputs.map(() => []);
    const nowhere: Buffer = { bytes: 0 };
    const viewFor = (v: number): MovingView => {
      const { place, offset } = this.plan.places.get(v)!;
      const aval = program.vars[v]!;
      const view: MovingView = {
        buffer: nowhere,
        offset,
        shape: aval.shape,
        dtype: aval.dtype,
        size: sizeOf(aval.shape),
      };
      if (place.kind === 'slot') view.buffer = this.slots[place.index]!;
      else if (place.kind === 'output') outputViews[place.index]!.push(view);
      else if (place.kind === 'input') inputViews[place.index]!.push([view, offset]);
      else {
        const constant = program.constants.get(place.v)!.view();
        view.buffer = constant.buffer;
        view.offset = constant.offset + offset;
      }
      return view;
    };
    this.steps = program.instructions.flatMap((i) => {
      const avals = i.ins.map((v) => program.vars[v]!);
      if ((i.op.viewOffset?.(avals, i.attrs) ?? null) !== null) return [];
      const kernel = kernelFor(backend, i.op, avals) as Kernel<'add'>;
      return [{ kernel, ins: i.ins.map(viewFor), outs: i.outs.map(viewFor), attrs: i.attrs }];
    });
    this.inputViews = inputViews;
    this.outputViews = outputViews;
  }

  /** Runs once. Donated inputs give their memory away: their handles must not be used again. */
  run(inputs: readonly Tensor[]): Tensor[] {
    const own = inputs.map((t, i) => (this.donated.has(i) ? this.exclusive(t) : t));
    const fresh: Tensor[] = [];
    try {
      own.forEach((t, i) => {
        const { buffer, offset } = t.view();
        for (const [view, inner] of this.inputViews[i]!) {
          view.buffer = buffer;
          view.offset = offset + inner;
        }
      });
      this.plan.outputs.forEach((slot, i) => {
        const t = allocate(this.backend, { shape: [slot.size], dtype: slot.dtype }).keep();
        fresh.push(t);
        for (const view of this.outputViews[i]!) view.buffer = t.view().buffer;
      });
      for (const { kernel, ins, outs, attrs } of this.steps) kernel(ins, outs, attrs);
      return this.program.outputs.map((v) => this.result(v, own, fresh));
    } finally {
      for (const t of fresh) t.dispose();
      own.forEach((t, i) => {
        if (t !== inputs[i]) t.dispose();
      });
    }
  }

  /** A donated input that others still see is copied first. */
  private exclusive(t: Tensor): Tensor {
    if (t.storage.refs === 1) return t;
    const flat = { ...t.view(), shape: [t.size] };
    const copy = allocate(this.backend, { shape: t.shape, dtype: t.dtype }).keep();
    this.backend.kernels.concat([flat], [{ ...copy.view(), shape: [t.size] }], { axis: 0 });
    return copy;
  }

  private result(v: number, inputs: readonly Tensor[], fresh: readonly Tensor[]): Tensor {
    const { place, offset } = this.plan.places.get(v)!;
    const { shape } = this.program.vars[v]!;
    const source = this.source(place, inputs, fresh);
    source.storage.retain();
    return new Tensor(shape, source.storage, source.offset + offset, new ValueRef([]));
  }

  private source(place: Place, inputs: readonly Tensor[], fresh: readonly Tensor[]): Tensor {
    switch (place.kind) {
      case 'input':
        return inputs[place.index]!;
      case 'constant':
        return this.program.constants.get(place.v)!;
      case 'output':
        return fresh[place.index]!;
      case 'slot':
        throw new CaptureError('an output was planned into a shared buffer');
    }
  }

  dispose(): void {
    for (const b of this.slots) this.backend.free(b);
    this.slots.length = 0;
    for (const t of this.program.constants.values()) t.dispose();
  }
}
