/** Records what a function does on tensors that have no value. */
import type { OpAttrs, OpName } from './attrs';
import { kernelFor } from './apply';
import type { Backend } from './backend';
import { type Aval, showAval, sizeOf } from './dtype';
import { BackendError, CaptureError } from './errors';
import type { Op } from './op';
import { type Instruction, Program } from './program';
import { frame, withFrame } from './runtime';
import { tidy } from './scope';
import { Storage } from './storage';
import { Tensor } from './tensor';

export class Trace {
  readonly backend: Backend;
  private readonly vars: Aval[] = [];
  private readonly traced = new Map<Storage, number>();
  private readonly constants = new Map<number, Tensor>();
  private readonly constantVars = new Map<Storage, { readonly v: number; readonly t: Tensor }[]>();
  private readonly instructions: Instruction[] = [];
  private readonly inputs: number[] = [];

  constructor(backend: Backend) {
    this.backend = backend;
  }

  private placeholder(aval: Aval): { t: Tensor; v: number } {
    const storage = new Storage(this.backend, aval.dtype, sizeOf(aval.shape), null, this);
    const v = this.vars.push(aval) - 1;
    this.traced.set(storage, v);
    return { t: new Tensor(aval.shape, storage, 0), v };
  }

  /** A tensor without value that stands for an input of the program. */
  input(aval: Aval): Tensor {
    const { t, v } = this.placeholder({ shape: aval.shape, dtype: aval.dtype });
    this.inputs.push(v);
    return t;
  }

  /** The variable of a tensor; one from outside becomes a constant. @throws CaptureError for one of another capture */
  variable(t: Tensor): number {
    const { trace } = t.storage;
    if (trace === this) return this.traced.get(t.storage)!;
    if (trace !== null) {
      throw new CaptureError(
        `${showAval(t)} belongs to another capture: pass values between captured functions as arguments`,
      );
    }
    if (t.backend !== this.backend) {
      throw new BackendError(
        this.backend.name,
        `capture: ${showAval(t)} lives on ${t.backend.name}: move it first`,
      );
    }
    const known = this.constantVars.get(t.storage) ?? [];
    const same = known.find((c) => c.t.offset === t.offset && c.t.shape.join() === t.shape.join());
    if (same !== undefined) return same.v;
    const v = this.vars.push({ shape: t.shape, dtype: t.dtype }) - 1;
    const kept = t.alias();
    this.constants.set(v, kept);
    this.constantVars.set(t.storage, [...known, { v, t: kept }]);
    return v;
  }

  /** Records an op; a fused one that the backend has no kernel for is recorded as core ops. */
  apply<N extends OpName>(
    op: Op<N>,
    ins: readonly Tensor[],
    avals: readonly Aval[],
    attrs: OpAttrs[N],
    donate: boolean,
  ): readonly Tensor[] {
    const isView = op.viewOffset !== undefined && op.viewOffset(ins, attrs) !== null;
    if (!isView && kernelFor(this.backend, op, ins) === null) {
      return tidy(() =>
        withFrame({ recording: false, reads: null }, () =>
          op.decompose!(ins, attrs).map((t) => t.again()),
        ),
      );
    }
    const operands = ins.map((t) => this.variable(t));
    const made = avals.map((aval) => this.placeholder({ shape: aval.shape, dtype: aval.dtype }));
    this.instructions.push({
      op: op as unknown as Op,
      ins: operands,
      outs: made.map((m) => m.v),
      attrs,
      donate,
    });
    for (const { t } of made) frame().scope?.adopt(t);
    return made.map((m) => m.t);
  }

  finish(outputs: readonly Tensor[]): Program {
    const program = new Program(
      this.vars,
      this.inputs,
      this.constants,
      this.instructions,
      outputs.map((t) => this.variable(t)),
    ).pruned();
    for (const [v, t] of this.constants) if (!program.constants.has(v)) t.dispose();
    return program;
  }

  /** Frees constants after a failed capture. */
  abandon(): void {
    for (const t of this.constants.values()) t.dispose();
  }
}
