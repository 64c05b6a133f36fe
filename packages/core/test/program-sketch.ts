/** Programs written down by hand: ops are what a plan sees of them. */
import type { DType, Tensor } from '../src';
import type { Op } from '../src/op';
import { type Plan, plan } from '../src/plan';
import { type Instruction, Program } from '../src/program';

type Donation = Partial<Pick<Op, 'donates'>> & { readonly donate?: boolean };

/** A program in the making. */
export class Sketch {
  private readonly vars: { readonly shape: readonly number[]; readonly dtype: DType }[] = [];
  private readonly inputs: number[] = [];
  private readonly constants = new Map<number, Tensor>();
  private readonly instructions: Instruction[] = [];

  private variable(size: number, dtype: DType): number {
    return this.vars.push({ shape: [size], dtype }) - 1;
  }

  /** Elements of a variable. */
  sizeOf(v: number): number {
    return this.vars[v]!.shape[0]!;
  }

  input(size: number): number {
    const v = this.variable(size, 'f32');
    this.inputs.push(v);
    return v;
  }

  constant(t: Tensor): number {
    const v = this.variable(t.size, t.dtype);
    this.constants.set(v, t);
    return v;
  }

  /** An op with one result. */
  op(ins: readonly number[], size: number, dtype: DType = 'f32'): number {
    return this.push(ins, [this.variable(size, dtype)], {});
  }

  /** An op with several results, of these sizes. */
  ops(ins: readonly number[], sizes: readonly number[], donation: Donation = {}): number[] {
    const outs = sizes.map((size) => this.variable(size, 'f32'));
    this.push(ins, outs, donation);
    return outs;
  }

  /** An op with a result for each input that it takes over. */
  donating(ins: readonly number[], donates: readonly number[]): number[] {
    const sizes = donates.map((i) => this.sizeOf(ins[i]!));
    return this.ops(ins, sizes, { donate: true, donates });
  }

  /** Part of a variable. */
  view(of: number, offset: number, size: number): number {
    const out = this.variable(size, this.vars[of]!.dtype);
    return this.push([of], [out], {}, offset);
  }

  private push(
    ins: readonly number[],
    outs: readonly number[],
    { donate = false, donates }: Donation,
    offset: number | null = null,
  ): number {
    const op = {
      ...{ name: 'sketched', viewOffset: () => offset },
      ...(donates && { donates }),
    } as unknown as Op;
    this.instructions.push({ op, ins, outs, attrs: {} as Instruction['attrs'], donate });
    return outs[0]!;
  }

  /** The program as far as it is read, its plan, and in words where a variable is. */
  plan(
    outputs: readonly number[],
    donated: readonly number[] = [],
    wholeArrays?: boolean,
  ): { readonly program: Program; readonly plan: Plan; readonly at: (v: number) => string } {
    const { vars, inputs, constants, instructions } = this;
    const program = new Program(vars, inputs, constants, instructions, outputs).pruned();
    const planned = plan(program, new Set(donated), wholeArrays);
    const at = (v: number): string => {
      const { place, offset } = planned.places.get(v)!;
      const which = place.kind === 'constant' ? place.v : place.index;
      return `${place.kind} ${which}${offset === 0 ? '' : ` +${offset}`}`;
    };
    return { program, plan: planned, at };
  }
}
