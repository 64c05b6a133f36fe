/** Any program on its planned memory, played cell by cell: every read finds what was written for it. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { setBackend, type Tensor, tensor } from '../src';
import type { Place, Plan } from '../src/plan';
import type { Instruction, Program } from '../src/program';
import { Sketch } from './program-sketch';

let known: Tensor;
beforeAll(() => {
  setBackend(referenceBackend());
  known = tensor([1, 2, 3, 4]);
});

/** What a program is made of; numbers pick among the variables so far. */
const piece = fc.record({
  kind: fc.constantFrom('op', 'op', 'op', 'fixed', 'view', 'view', 'donating', 'donating', 'two'),
  a: fc.nat(60),
  b: fc.nat(60),
  c: fc.nat(60),
  size: fc.constantFrom(1, 2, 3, 4, 4, 4, 6, 1025),
});
const sketched = fc
  .record({
    inputs: fc.array(fc.constantFrom(1, 4, 4), { minLength: 1, maxLength: 3 }),
    pieces: fc.array(piece, { minLength: 1, maxLength: 14 }),
    outputs: fc.array(fc.nat(8), { minLength: 1, maxLength: 3 }),
    donated: fc.uniqueArray(fc.nat(2)),
    wholeArrays: fc.boolean(),
  })
  .map(({ inputs, pieces, outputs, donated, wholeArrays }) => {
    const s = new Sketch();
    const fixed = [s.constant(known)];
    const all = [...inputs.map((size) => s.input(size)), ...fixed];
    for (const { kind, a, b, c, size } of pieces) {
      // of the latest, mostly
      const pick = (i: number, of = all): number => of[Math.max(0, of.length - 1 - (i % 6))]!;
      const ins = [pick(a), pick(b), pick(c)];
      if (kind === 'op') all.push(s.op(ins.slice(0, 1 + (c % 2)), size));
      else if (kind === 'two') all.push(...s.ops(ins, [size, s.sizeOf(ins[0]!)]));
      else if (kind === 'donating')
        all.push(...s.donating(ins, [[0], [1], [0, 2], [2, 0]][size % 4]!));
      else if (kind === 'fixed') {
        const out = s.op([pick(a, fixed)], size);
        fixed.push(out);
        all.push(out);
      } else {
        const whole = s.sizeOf(ins[0]!);
        const offset = c % 2 === 0 ? 0 : b % whole;
        all.push(s.view(ins[0]!, offset, whole - offset));
      }
    }
    const results = outputs.map((o) => all[Math.max(0, all.length - 1 - o)]!);
    const given = donated.filter((i) => i < inputs.length);
    return { ...s.plan(results, given, wholeArrays), donated: given, wholeArrays };
  });

const nameOf = (p: Place): string => `${p.kind} ${p.kind === 'constant' ? p.v : p.index}`;
const viewOf = ({ op, ins, attrs }: Instruction, { vars }: Program): number | null =>
  op.viewOffset!(
    ins.map((v) => vars[v]!),
    attrs,
  );

/** The memory of one executor, and what each variable must read as. */
class Machine {
  readonly memory = new Map<string, string[]>();
  private readonly meant = new Map<number, readonly string[]>();
  private readonly program: Program;
  private readonly plan: Plan;

  constructor(program: Program, plan: Plan) {
    this.program = program;
    this.plan = plan;
    for (const v of program.constants.keys()) this.mean(v, 'given');
  }

  where(v: number): { readonly name: string; readonly from: number; readonly to: number } {
    const { place, offset } = this.plan.places.get(v)!;
    const size = this.program.vars[v]!.shape[0]!;
    return { name: nameOf(place), from: offset, to: offset + size };
  }

  /** Writes what identifies v and the run. */
  private mean(v: number, run: string): void {
    const { name, from, to } = this.where(v);
    const cells = Array.from({ length: to - from }, (_, i) => `${v}[${i}] ${run}`);
    this.meant.set(v, cells);
    const place = this.memory.get(name) ?? [];
    place.splice(from, cells.length, ...cells);
    this.memory.set(name, place);
  }

  read(v: number): void {
    const { name, from, to } = this.where(v);
    const [found, meant] = [this.memory.get(name)!, this.meant.get(v)!];
    // said cell by cell only where it differs: that takes its time
    const right = meant.length === to - from && meant.every((cell, i) => cell === found[from + i]);
    if (!right) expect(found.slice(from, to)).toEqual(meant);
  }

  execute(i: Instruction, run: string): void {
    const offset = viewOf(i, this.program);
    if (offset !== null) {
      const [of, out] = [this.meant.get(i.ins[0]!)!, i.outs[0]!];
      this.meant.set(out, of.slice(offset, offset + this.program.vars[out]!.shape[0]!));
      return;
    }
    for (const v of i.ins) this.read(v);
    for (const v of i.outs) this.mean(v, run);
  }

  once(): void {
    for (const i of this.plan.once) this.execute(i, 'once');
  }

  run(run: string): void {
    for (const v of this.program.inputs) this.mean(v, run);
    for (const i of this.program.instructions) if (!this.plan.once.has(i)) this.execute(i, run);
    for (const v of this.program.outputs) this.read(v);
  }
}

/** The law for any program, as often as the others. */
function always(
  law: (made: typeof sketched extends fc.Arbitrary<infer T> ? T : never) => void,
): void {
  fc.assert(fc.property(sketched, law), { seed: 20261128, numRuns: 400 });
}

describe('any plan', () => {
  it('keeps every value until its last read, from run to run', () => {
    always(({ program, plan }) => {
      const machine = new Machine(program, plan);
      machine.once();
      for (const run of ['first', 'second']) machine.run(run);
      for (const { outs } of plan.once) for (const v of outs) machine.read(v);
    });
  });

  it('writes into no constant, and into no input that was not donated', () => {
    always(({ program, plan, donated }) => {
      for (const i of program.instructions) {
        if (viewOf(i, program) !== null) continue;
        for (const v of i.outs) {
          const { place } = plan.places.get(v)!;
          expect(place.kind).not.toBe('constant');
          if (place.kind === 'input') expect(donated).toContain(place.index);
        }
      }
    });
  });

  it('lets no result of an op overlap another, nor an operand but the one it takes over', () => {
    always(({ program, plan }) => {
      const machine = new Machine(program, plan);
      for (const i of program.instructions) {
        if (viewOf(i, program) !== null) continue;
        i.outs.forEach((v, o) => {
          const [out, donor] = [machine.where(v), i.donate ? i.op.donates?.[o] : undefined];
          const others = [...i.outs.filter((u) => u !== v), ...i.ins.filter((_, k) => k !== donor)];
          const names = others.map((u) => machine.where(u).name);
          // places are shared over time, never at one
          expect(names).not.toContain(out.name);
          if (donor === undefined) return;
          const from = machine.where(i.ins[donor]!);
          if (from.name === out.name) expect(from).toEqual(out);
        });
      }
    });
  });

  it('hands out no slot, and gives each value room of its dtype', () => {
    always(({ program, plan, wholeArrays }) => {
      for (const v of program.outputs) expect(plan.places.get(v)!.place.kind).not.toBe('slot');
      for (const [v, { place, offset }] of plan.places) {
        if (place.kind !== 'slot' && place.kind !== 'output') continue;
        const { size, dtype } = (place.kind === 'slot' ? plan.slots : plan.outputs)[place.index]!;
        const needs = offset + program.vars[v]!.shape[0]!;
        expect(dtype).toBe(program.vars[v]!.dtype);
        expect(size).toBeGreaterThanOrEqual(needs);
        const views = program.instructions.filter((i) => viewOf(i, program) !== null);
        if (wholeArrays && !views.some((i) => i.outs[0] === v)) expect(size).toBe(needs);
      }
    });
  });

  it('needs no more than values without sharing, and counts what is no view', () => {
    always(({ program, plan }) => {
      const made = program.instructions.filter((i) => viewOf(i, program) === null);
      const all = made.flatMap((i) => i.outs.map((v) => program.vars[v]!.shape[0]!));
      expect(plan.unshared).toBe(all.reduce((n, size) => n + size, 0));
      const planned = [...plan.slots, ...plan.outputs].reduce((n, { size }) => n + size, 0);
      expect(planned).toBeLessThanOrEqual(plan.unshared);
      expect(plan.slots.length + plan.outputs.length).toBeLessThanOrEqual(all.length);
    });
  });
});
