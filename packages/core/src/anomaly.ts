/** Which op first made a NaN or an infinity: a step runs once more, and each result is looked at. */
import { type Grads, type Leaf, tensorOf, valueAndGrad } from './autograd';
import { type Aval, isFloat, showAval } from './dtype';
import { concat } from './ops/shape';

import { isInfOf, isNaNOf } from './ops/select';
import { cast, reshape, sum } from './ops/linear';
import { type OpWatch, withFrame } from './runtime';
import { scope, tidy } from './scope';
import type { Storage } from './storage';
import type { Tensor } from './tensor';

/** Where a number that is not finite came from. */
export interface Anomaly<L extends Leaf = Leaf> {
  /** The op that made it, or the one that first read it where it was there before. */
  readonly op: string;
  /** The op whose gradient was being computed; null on the way forward. */
  readonly gradientOf: string | null;
  /** Whether `op` made it of finite numbers (`made`) or was given it (`read`). */
  readonly origin: 'made' | 'read';
  /** The leaf that held it; null where no leaf did. */
  readonly leaf: L | null;
  /** What is there; NaN where there are both. */
  readonly value: 'NaN' | 'infinity';
  /** Shape and dtype of the array that holds it. */
  readonly aval: Aval;
  /** All of this in words. */
  readonly message: string;
}

/** A value, and what it was made of. */
interface Made {
  readonly order: number;
  /** Null for what was there before. */
  readonly op: string | null;
  readonly gradientOf: string | null;
  readonly aval: Aval;
  readonly storage: Storage;
  readonly ins: readonly Made[];
  /** How many are NaN, and infinite: `f32[2]`; null for integers. */
  readonly counts: Tensor | null;
  nan: boolean;
  inf: boolean;
  /** The op that read it first, of what was there before. */
  reader: Made | null;
}

class Watch implements OpWatch {
  private readonly all: Made[] = [];
  /** By storage, then offset and size: a reshaped view is the same value. */
  private readonly made = new Map<Storage, Map<string, Made>>();
  private rule: string | null = null;

  before(ins: readonly Tensor[]): readonly Made[] {
    return ins.map((t) => this.of(t));
  }

  ran(op: string, ins: readonly unknown[], outs: readonly Tensor[]): void {
    const sources = ins as readonly Made[];
    for (const t of outs) {
      // an input in another shape
      if (this.known(t) !== undefined) continue;
      const node = this.add(t, op, sources);
      for (const s of sources) if (s.op === null) s.reader ??= node;
    }
  }

  gradientOf<T>(op: string, fn: () => T): T {
    const before = this.rule;
    this.rule = op;
    try {
      return fn();
    } finally {
      this.rule = before;
    }
  }

  gave(op: string, cotangents: readonly (Tensor | null)[]): void {
    for (const t of cotangents) {
      if (t !== null && this.known(t) === undefined) this.add(t, op, []);
    }
  }

  /** The value of a tensor; one that no op made was there before. */
  of(t: Tensor): Made {
    return this.known(t) ?? this.add(t, null, []);
  }

  async look(): Promise<void> {
    const counts = await Promise.all(this.all.map((m) => m.counts?.data() ?? null));
    counts.forEach((found, i) => {
      const m = this.all[i]!;
      m.nan = found !== null && found[0] !== 0;
      m.inf = found !== null && found[1] !== 0;
    });
  }

  dispose(): void {
    for (const { counts } of this.all) counts?.dispose();
  }

  private known(t: Tensor): Made | undefined {
    return this.made.get(t.storage)?.get(`${t.offset}:${t.size}`);
  }

  private add(t: Tensor, op: string | null, ins: readonly Made[]): Made {
    const node: Made = {
      ...{ order: this.all.length, op, gradientOf: this.rule, ins, storage: t.storage },
      aval: { shape: t.shape, dtype: t.dtype },
      counts: isFloat(t.dtype) ? countsOf(t) : null,
      ...{ nan: false, inf: false, reader: null },
    };
    this.all.push(node);
    const places = this.made.get(t.storage) ?? new Map<string, Made>();
    places.set(`${t.offset}:${t.size}`, node);
    this.made.set(t.storage, places);
    return node;
  }
}

/** How many are NaN and how many infinite, `f32[2]`, outside of every scope and tape. */
function countsOf(t: Tensor): Tensor {
  return withFrame({ watch: null, scope: null, recording: false, reads: null }, () =>
    tidy(() => concat([isNaNOf(t), isInfOf(t)].map((is) => reshape(sum(cast(is, 'f32')), [1])))),
  );
}

/** Whether an op made it of something, or a gradient rule gave it; a constant was asked for. */
function computed({ ins, op, gradientOf }: Made): boolean {
  return ins.length > 0 || (op !== null && op === gradientOf);
}

/** What made an infinity of finite numbers; else what was given with one, if it was given from outside. */
function sourceOfInfinity(from: Made): Made | null {
  const seen = new Set([from]);
  let outside: Made | null = null;
  for (const at of seen) {
    const given = at.ins.filter((i) => i.inf || i.nan);
    if (given.length === 0 && computed(at)) return at;
    if (at.op === null) outside ??= at;
    for (const i of given) seen.add(i);
  }
  return outside;
}

/** NaN is followed to where it began, and on to the infinity that it came of, unless the function asked for that. */
function sourceOf(root: Made): Made {
  let at = root;
  for (;;) {
    const before = at.ins.find((i) => i.nan);
    if (before === undefined) return sourceOfInfinity(at) ?? at;
    at = before;
  }
}

function told<L extends Leaf>(source: Made, leaf: L | null): Anomaly<L> {
  const { op, gradientOf, aval, reader } = source;
  const value = source.nan ? 'NaN' : 'infinity';
  const shown = showAval(aval);
  if (op === null) {
    const what = leaf === null ? 'an input' : 'a leaf';
    const name = reader?.op ?? 'the result';
    return {
      ...{ op: name, gradientOf: reader?.gradientOf ?? null, origin: 'read', leaf, value, aval },
      message: `${name} was given ${value} in ${what}, ${shown}`,
    };
  }
  const place =
    gradientOf === null
      ? op
      : op === gradientOf
        ? `the gradient of ${op}`
        : `${op} in the gradient of ${gradientOf}`;
  return {
    ...{ op, gradientOf, origin: 'made', leaf: null, value, aval },
    message: `${place} made ${value} in ${shown}`,
  };
}

/**
 * Runs a step as `valueAndGrad` does, looks at what every op gives, forward and backward, and tells which op first made a
 * NaN or an infinity that reached the loss or a gradient; null where all of them are finite. It computes some three
 * times what the step does: call it on a step whose loss or gradient norm was not finite. fn must give what it gave then:
 * randomness by explicit keys. What it makes is freed. Infinities that do not reach the loss, such as those of a mask, do
 * not count.
 * @throws what `valueAndGrad` throws
 */
export async function detectAnomaly<L extends Leaf>(
  leaves: Iterable<L>,
  fn: () => Tensor | readonly [loss: Tensor, aux: unknown],
): Promise<Anomaly<L> | null> {
  const list = [...leaves];
  const watch = new Watch();
  try {
    const roots = detached(() => {
      const { value, grads } = withFrame({ watch }, () => valueAndGrad(list, fn));
      return [watch.of(value), ...gradientsOf(grads).map((g) => watch.of(g))];
    });
    await watch.look();
    const sources = roots.filter((m) => m.nan || m.inf).map(sourceOf);
    const [first] = sources.sort((a, b) => a.order - b.order);
    if (first === undefined) return null;
    return told(first, list.find((l) => tensorOf(l).storage === first.storage) ?? null);
  } finally {
    watch.dispose();
  }
}

/** Runs in a scope of its own that frees everything. */
function detached<T>(fn: () => T): T {
  const own = scope();
  try {
    return own.run(fn);
  } finally {
    own.dispose();
  }
}

function gradientsOf<L extends Leaf>(grads: Grads<L>): Tensor[] {
  return [...grads.entries()].map(([, g]) => g);
}
