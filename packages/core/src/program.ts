/** A captured function as a list of instructions that prints itself. */
import type { OpAttrs, OpName } from './attrs';
import { type Aval, showAval } from './dtype';
import type { Op } from './op';
import type { Tensor } from './tensor';

/** An op on variables, which are numbered. */
export interface Instruction<N extends OpName = OpName> {
  /** What is done. */
  readonly op: Op<N>;
  /** Variables that are read. */
  readonly ins: readonly number[];
  /** Variables that are written. */
  readonly outs: readonly number[];
  /** Attributes of the op. */
  readonly attrs: OpAttrs[N];
  /** The inputs that the op may take over are dead afterwards. */
  readonly donate: boolean;
}

/** Straight-line code over variables; each is written once. */
export class Program {
  /** Shape and dtype of each variable. */
  readonly vars: readonly Aval[];
  /** Variables that a call gives. */
  readonly inputs: readonly number[];
  /** Values that the function read from outside: they are part of the program. */
  readonly constants: ReadonlyMap<number, Tensor>;
  /** In order of execution. */
  readonly instructions: readonly Instruction[];
  /** Variables that a call returns. */
  readonly outputs: readonly number[];

  constructor(
    vars: readonly Aval[],
    inputs: readonly number[],
    constants: ReadonlyMap<number, Tensor>,
    instructions: readonly Instruction[],
    outputs: readonly number[],
  ) {
    this.vars = vars;
    this.inputs = inputs;
    this.constants = constants;
    this.instructions = instructions;
    this.outputs = outputs;
  }

  /** Without instructions whose results nobody reads. */
  pruned(): Program {
    const live = new Set(this.outputs);
    const kept: Instruction[] = [];
    for (const instruction of [...this.instructions].reverse()) {
      if (!instruction.outs.some((v) => live.has(v))) continue;
      for (const v of instruction.ins) live.add(v);
      kept.push(instruction);
    }
    const constants = new Map([...this.constants].filter(([v]) => live.has(v)));
    return new Program(this.vars, this.inputs, constants, kept.reverse(), this.outputs);
  }

  /**
   * One line an instruction, variables numbered in order of appearance:
   * `%2:f32[2,4] = matmul %0 %1 {transA: false, transB: false}`.
   */
  toString(): string {
    const names = new Map<number, number>();
    const name = (v: number): string => {
      if (!names.has(v)) names.set(v, names.size);
      return `%${names.get(v)}`;
    };
    const typed = (v: number): string => `${name(v)}:${showAval(this.vars[v]!)}`;
    const lines = [`inputs ${this.inputs.map(typed).join(', ')}`];
    if (this.constants.size > 0)
      lines.push(`constants ${[...this.constants.keys()].map(typed).join(', ')}`);
    for (const { op, ins, outs, attrs, donate } of this.instructions) {
      const args = ins.map(name).join(' ');
      const shown = showAttrs(attrs);
      const parts = [outs.map(typed).join(', '), '=', op.name, args, donate ? 'donate' : '', shown];
      lines.push(parts.filter((p) => p !== '').join(' '));
    }
    lines.push(`outputs ${this.outputs.map(name).join(', ')}`);
    return lines.join('\n');
  }
}

function showAttrs(attrs: object): string {
  const parts = Object.entries(attrs).map(
    ([k, v]) => `${k}: ${JSON.stringify(v)?.replaceAll('"', '')}`,
  );
  return parts.length === 0 ? '' : `{${parts.join(', ')}}`;
}
