/** Where each variable of a program lives: buffers are shared by variables whose lives do not overlap. */
import { type DType, sizeOf } from './dtype';
import type { Instruction, Program } from './program';

/** Values up to this many elements that do not depend on inputs are computed once and keep their buffers. */
const SMALL = 1024;

/** The memory that a variable is in. */
export type Place =
  | {
      /** An input of the call. */
      readonly kind: 'input';
      /** Which one. */
      readonly index: number;
    }
  | {
      /** A value from outside the function. */
      readonly kind: 'constant';
      /** Its variable. */
      readonly v: number;
    }
  | {
      /** A planned buffer. */
      readonly kind: 'slot';
      /** Which one. */
      readonly index: number;
    }
  /** Allocated at every run and handed out. */
  | {
      /** A result. */
      readonly kind: 'output';
      /** Which one. */
      readonly index: number;
    };

/** A buffer. */
export interface Slot {
  /** Element type. */
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
}

/** Where every variable of a program lives. */
export interface Plan {
  /** By variable; absent for what pruning dropped. */
  readonly places: ReadonlyMap<
    number,
    {
      /** Memory that the variable is in. */
      readonly place: Place;
      /** Elements into that memory. */
      readonly offset: number;
    }
  >;
  /** Buffers that intermediate values share. */
  readonly slots: readonly Slot[];
  /** Buffers that every run allocates for its results. */
  readonly outputs: readonly Slot[];
  /** Elements that all intermediate values would take without sharing. */
  readonly unshared: number;
  /** Instructions that do not depend on inputs: their results are small and stay. */
  readonly once: ReadonlySet<Instruction>;
}

/** Small results of constants alone, but those whose memory is handed out. */
function onceOnly(
  { vars, instructions, constants }: Program,
  handedOut: (v: number) => boolean,
): Set<Instruction> {
  const once = new Set<Instruction>();
  const fixed = new Set(constants.keys());
  for (const i of instructions) {
    const stays = i.outs.every((v) => sizeOf(vars[v]!.shape) <= SMALL && !handedOut(v));
    if (!stays || !i.ins.every((v) => fixed.has(v))) continue;
    once.add(i);
    for (const v of i.outs) fixed.add(v);
  }
  return once;
}

/**
 * Linear scan over last uses. `donated` inputs (state) may be overwritten by the op that takes them over; other inputs
 * and constants never are. With `wholeArrays` only values of one size share a buffer.
 */
export function plan(
  program: Program,
  donatedInputs: ReadonlySet<number>,
  wholeArrays = false,
): Plan {
  const { vars, instructions, inputs, outputs } = program;
  const rootOf = new Map<number, { root: number; offset: number }>();
  const root = (v: number): { root: number; offset: number } => {
    let at = { root: v, offset: 0 };
    for (let up = rootOf.get(v); up !== undefined; up = rootOf.get(at.root)) {
      at = { root: up.root, offset: at.offset + up.offset };
    }
    return at;
  };
  const lastUse = new Map<number, number>();
  const forever = instructions.length;
  // views first, so that a root lives as long as any view of it
  instructions.forEach((ins) => {
    const offset =
      ins.op.viewOffset?.(
        ins.ins.map((v) => vars[v]!),
        ins.attrs,
      ) ?? null;
    if (offset === null) return;
    const source = root(ins.ins[0]!);
    rootOf.set(ins.outs[0]!, { root: source.root, offset: source.offset + offset });
  });
  instructions.forEach((ins, at) => {
    for (const v of ins.ins) lastUse.set(root(v).root, at);
  });
  for (const v of outputs) lastUse.set(root(v).root, forever);
  const outputRoots = new Set(outputs.map((v) => root(v).root));
  const once = onceOnly(program, (v) => outputRoots.has(root(v).root));
  for (const i of once) for (const v of i.outs) lastUse.set(root(v).root, forever);

  const place = new Map<number, Place>();
  for (const [index, v] of inputs.entries()) place.set(v, { kind: 'input', index });
  for (const v of program.constants.keys()) place.set(v, { kind: 'constant', v });
  const slots: { dtype: DType; size: number }[] = [];
  const fresh: Slot[] = [];
  const free: number[] = [];
  let unshared = 0;

  const lay = (ins: Instruction, at: number): void => {
    if (rootOf.has(ins.outs[0]!)) return;
    ins.outs.forEach((v, o) => {
      const { dtype } = vars[v]!;
      const size = sizeOf(vars[v]!.shape);
      unshared += size;
      const donor = ins.donate ? ins.ins[ins.op.donates?.[o] ?? -1] : undefined;
      if (donor !== undefined && canTakeOver(ins, donor, v, at)) {
        const from = root(donor).root;
        rootOf.set(v, { root: from, offset: 0 });
        lastUse.set(from, lastUse.get(v) ?? at);
        return;
      }
      if (outputRoots.has(v)) {
        place.set(v, { kind: 'output', index: fresh.push({ dtype, size }) - 1 });
        return;
      }
      place.set(v, { kind: 'slot', index: takeSlot(dtype, size) });
    });
    const done = new Set([...ins.ins, ...ins.outs].map((v) => root(v).root));
    for (const r of done) {
      const p = place.get(r)!;
      if (p.kind === 'slot' && (lastUse.get(r) ?? at) <= at) free.push(p.index);
    }
  };
  // their buffers are no others' before them
  for (const i of once) lay(i, instructions.indexOf(i));
  instructions.forEach((i, at) => {
    if (!once.has(i)) lay(i, at);
  });

  /** Whether v may lie where its donor does: nobody else reads that memory any more, nor gets it by another name. */
  function canTakeOver({ ins }: Instruction, donor: number, v: number, at: number): boolean {
    const { root: r, offset } = root(donor);
    const p = place.get(r)!;
    const whole = offset === 0 && sizeOf(vars[donor]!.shape) === sizeOf(vars[r]!.shape);
    // a slot is no result's: the next run writes into it
    const owned =
      p.kind === 'slot' ? !outputRoots.has(v) : p.kind === 'input' && donatedInputs.has(p.index);
    const alone = ins.filter((u) => root(u).root === r).length === 1;
    return whole && owned && alone && lastUse.get(r) === at;
  }

  function takeSlot(dtype: DType, size: number): number {
    let best = -1;
    for (const i of free) {
      const s = slots[i]!;
      if (s.dtype !== dtype || (wholeArrays && s.size !== size)) continue;
      const b = slots[best];
      const better =
        b === undefined ||
        (s.size >= size ? b.size < size || s.size < b.size : b.size < size && s.size > b.size);
      if (better) best = i;
    }
    if (best < 0) return slots.push({ dtype, size }) - 1;
    free.splice(free.indexOf(best), 1);
    slots[best]!.size = Math.max(slots[best]!.size, size);
    return best;
  }

  const places = new Map<number, { place: Place; offset: number }>();
  const all = [...inputs, ...program.constants.keys(), ...instructions.flatMap((i) => i.outs)];
  for (const v of all) {
    const { root: r, offset } = root(v);
    places.set(v, { place: place.get(r)!, offset });
  }
  return { places, slots, outputs: fresh, unshared, once };
}
