/** The tape: instructions in the order they ran, with the tensors that their gradient rules need. */
import type { OpAttrs } from './attrs';
import { isFloat } from './dtype';
import type { Op, Saved, Vjp } from './op';
import type { Tensor, ValueRef } from './tensor';

/** What a record runs backward: an op, a checkpoint or a user's rule. */
export interface Rule<A> {
  readonly name: string;
  readonly vjp: Vjp<A>;
  readonly saveIns: Saved;
  readonly saveOuts: Saved;
}

export interface Entry {
  readonly name: string;
  readonly inRefs: readonly ValueRef[];
  readonly outRefs: readonly ValueRef[];
  readonly ins: readonly Tensor[];
  readonly outs: readonly Tensor[];
  readonly wanted: readonly boolean[];
  run(cts: readonly (Tensor | null)[], needs: readonly boolean[]): readonly (Tensor | null)[];
}

/** A handle for the tape: a live alias when it is saved, one that throws when used when it is not. */
function hold(t: Tensor, index: number, saved: Saved): Tensor {
  const alias = t.alias();
  if (saved === 'none' || (saved !== 'all' && !saved.includes(index))) alias.dispose();
  return alias;
}

export class Tape {
  private entries: Entry[] = [];
  private isOpen = true;

  get open(): boolean {
    return this.isOpen;
  }

  watch(ref: ValueRef): void {
    if (!ref.tapes.includes(this)) ref.tapes = [...ref.tapes, this];
  }

  unwatch(ref: ValueRef): void {
    ref.tapes = ref.tapes.filter((t) => t !== this);
  }

  record<A>(rule: Rule<A>, ins: readonly Tensor[], outs: readonly Tensor[], attrs: A): void {
    const wanted = ins.map((t) => isFloat(t.dtype) && t.ref.tapes.includes(this));
    const savedIns = ins.map((t, i) => hold(t, i, rule.saveIns));
    const savedOuts = outs.map((t, i) => hold(t, i, rule.saveOuts));
    this.entries.push({
      name: rule.name,
      inRefs: ins.map((t) => t.ref),
      outRefs: outs.map((t) => t.ref),
      ins: savedIns,
      outs: savedOuts,
      wanted,
      run: (cts, needs) => rule.vjp({ ins: savedIns, outs: savedOuts, cts, needs, attrs }),
    });
  }

  /** Stops recording. */
  close(): void {
    this.isOpen = false;
  }

  /** Frees what is saved; the tape can no longer run backward. */
  release(): void {
    this.close();
    for (const e of this.entries) releaseEntry(e);
    this.entries = [];
  }

  /** Takes the last record off the tape; the caller releases it. */
  pop(): Entry | undefined {
    return this.entries.pop();
  }
}

export function releaseEntry(e: Entry): void {
  for (const t of e.ins) t.dispose();
  for (const t of e.outs) t.dispose();
}

/** Open tapes that watch any of the values. */
export function openTapes(ins: readonly Tensor[]): readonly Tape[] {
  let found: Tape[] | null = null;
  for (const t of ins) {
    for (const tape of t.ref.tapes) {
      if (!tape.open) continue;
      if (found === null) found = [tape];
      else if (!found.includes(tape)) found.push(tape);
    }
  }
  return found ?? [];
}

/** The tape's view of an op. */
export function ruleOf<N extends keyof OpAttrs>(op: Op<N>, vjp: Vjp<OpAttrs[N]>): Rule<OpAttrs[N]> {
  return { name: op.name, vjp, saveIns: op.saveIns ?? 'all', saveOuts: op.saveOuts ?? 'none' };
}
