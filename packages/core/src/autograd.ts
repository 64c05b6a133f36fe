/** Gradients. A tape watches leaves while a function runs, then runs backward through the same ops. */
import { apply, register } from './apply';
import { backward } from './backward';
import { isFloat, sameShape, showAval } from './dtype';
import { DisposedError, DTypeError, ShapeError } from './errors';
import { full } from './ops/create';
import { reshapeOp } from './ops/linear';
import { frame, withFrame } from './runtime';
import { allOrNothing, type Scope, scope } from './scope';
import { openTapes, type Rule, Tape } from './tape';
import { Tensor, type ValueRef } from './tensor';
import { fresh } from './vjp-of';

/** What a gradient can be taken for: a tensor, or something that holds one (a parameter). */
export type Leaf =
  | Tensor
  | {
      /** The current tensor. */
      readonly value: Tensor;
    };

/** The tensor of a leaf. */
export function tensorOf(leaf: Leaf): Tensor {
  return leaf instanceof Tensor ? leaf : leaf.value;
}

/** Gradients by leaf. */
export class Grads<L extends Leaf = Leaf> {
  private readonly map: ReadonlyMap<L, Tensor>;

  /** @internal */
  constructor(map: ReadonlyMap<L, Tensor>) {
    this.map = map;
  }

  /** The gradient for a leaf, of its shape. @throws TypeError for a leaf that was not asked about */
  get(leaf: L): Tensor {
    const g = this.map.get(leaf);
    if (g === undefined)
      throw new TypeError('grads: no gradient was asked for this leaf: list it in valueAndGrad');
    return g;
  }

  /** Whether the gradient for a leaf was asked for. */
  has(leaf: L): boolean {
    return this.map.has(leaf);
  }

  /** Number of leaves. */
  get size(): number {
    return this.map.size;
  }

  /** Leaves with their gradients, in the order they were listed. */
  entries(): IterableIterator<[L, Tensor]> {
    return this.map.entries();
  }

  /** New gradients from old ones; the old ones stay. */
  mapValues(fn: (g: Tensor, leaf: L) => Tensor): Grads<L> {
    return new Grads(new Map([...this.map].map(([leaf, g]) => [leaf, fn(g, leaf)])));
  }

  /** Frees every gradient. */
  dispose(): void {
    for (const g of this.map.values()) g.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A loss with its gradients. */
export interface ValueAndGrad<L extends Leaf, A> {
  /** The loss, a scalar. */
  readonly value: Tensor;
  /** Gradients of the loss by leaf. */
  readonly grads: Grads<L>;
  /** Whatever fn returned beside the loss; tensors in it survive. */
  readonly aux: A;
}

function checkLoss(op: string, loss: Tensor): void {
  if (!isFloat(loss.dtype))
    throw new DTypeError(op, `the loss is ${showAval(loss)}, not floating point`, [loss.dtype]);
  if (loss.rank !== 0) {
    throw new ShapeError(
      op,
      `the loss is ${showAval(loss)}, not a scalar: reduce it with sum() or mean()`,
      [loss.shape],
    );
  }
}

/**
 * Runs `fn` and differentiates the scalar that it returns in all leaves. Watching is by identity: every use of a
 * leaf's tensor inside fn counts, wherever it comes from. A leaf that fn does not use gets zeros. Tensors that fn
 * creates are freed, but for the loss and those in aux; what the gradient needs is freed as backward passes it.
 * @throws ShapeError, DTypeError when the loss is not a float scalar
 */
export function valueAndGrad<L extends Leaf, A = undefined>(
  leaves: Iterable<L>,
  fn: () => Tensor | readonly [loss: Tensor, aux: A],
): ValueAndGrad<L, A> {
  const list = [...leaves];
  const tensors = list.map(tensorOf);
  for (const t of tensors) {
    t.assertLive('valueAndGrad');
    if (!isFloat(t.dtype))
      throw new DTypeError('valueAndGrad', `a leaf is ${showAval(t)}, not floating point`, [
        t.dtype,
      ]);
  }
  return allOrNothing(() => differentiate(list, tensors, fn));
}

function differentiate<L extends Leaf, A>(
  list: readonly L[],
  tensors: readonly Tensor[],
  fn: () => Tensor | readonly [loss: Tensor, aux: A],
): ValueAndGrad<L, A> {
  const tape = new Tape();
  const s = scope();
  let value: Tensor | null = null;
  try {
    for (const t of tensors) tape.watch(t.ref);
    const result = s.run(() => withFrame({ recording: true }, fn));
    const [loss, aux] = (result instanceof Tensor ? [result, undefined] : result) as [Tensor, A];
    checkLoss('valueAndGrad', loss);
    value = loss.alias();
    s.release(aux);
    s.dispose();
    const seed = full([], 1, { dtype: loss.dtype });
    const found = backward(
      tape,
      [[loss.ref, seed]],
      tensors.map((t) => t.ref),
    );
    seed.dispose();
    const grads = new Map(
      list.map((leaf, i) => {
        const t = tensors[i]!;
        return [leaf, found.get(t.ref) ?? full(t.shape, 0, { dtype: t.dtype })] as const;
      }),
    );
    const kept = register(value);
    value = null;
    return { value: kept, grads: new Grads(grads), aux };
  } finally {
    for (const t of tensors) tape.unwatch(t.ref);
    tape.release();
    value?.dispose();
    s.dispose();
  }
}

/**
 * The gradient of a scalar function in its first argument; nests for higher orders.
 * @throws ShapeError, DTypeError when fn does not return a float scalar
 */
export function grad(
  fn: (x: Tensor, ...rest: Tensor[]) => Tensor,
): (x: Tensor, ...rest: Tensor[]) => Tensor {
  return (x, ...rest) => {
    const own = fresh(x);
    try {
      const { value, grads } = valueAndGrad([own], () => fn(own, ...rest));
      value.dispose();
      return grads.get(own);
    } finally {
      own.dispose();
    }
  };
}

/** A value and the way back from it. */
export interface Pullback extends Disposable {
  /** What the function returned. */
  readonly value: Tensor;
  /** Cotangents of the inputs for a cotangent of the value. Runs once. @throws ShapeError, DisposedError when run again */
  pullback(ct: Tensor): Tensor[];
  /** Frees what the pullback keeps. */
  dispose(): void;
}

/** Runs `fn` and gives the way back from its value to all of its inputs. */
export function vjp(fn: (...xs: Tensor[]) => Tensor, ...xs: readonly Tensor[]): Pullback {
  const tape = new Tape();
  const s = scope();
  const own = xs.map(fresh);
  let value: Tensor;
  try {
    for (const x of own) if (isFloat(x.dtype)) tape.watch(x.ref);
    value = s.release(s.run(() => withFrame({ recording: true }, () => fn(...own))));
    tape.close();
  } catch (error) {
    tape.release();
    throw error;
  } finally {
    for (const x of own) x.dispose();
    s.dispose();
  }
  const avals = own.map((x) => ({ shape: x.shape, dtype: x.dtype }));
  let used = false;
  return {
    value,
    pullback(ct) {
      if (used)
        throw new DisposedError(
          'vjp',
          'this pullback has run, and what it kept is freed: call vjp again',
        );
      if (!sameShape(ct.shape, value.shape) || ct.dtype !== value.dtype) {
        throw new ShapeError(
          'vjp',
          `the cotangent is ${showAval(ct)}, the value ${showAval(value)}`,
          [ct.shape, value.shape],
        );
      }
      used = true;
      return allOrNothing(() => {
        const found = backward(
          tape,
          [[value.ref, ct]],
          own.map((x) => x.ref),
        );
        return own.map(
          (x, i) => found.get(x.ref) ?? full(avals[i]!.shape, 0, { dtype: avals[i]!.dtype }),
        );
      });
    },
    dispose() {
      used = true;
      tape.release();
    },
    [Symbol.dispose]() {
      this.dispose();
    },
  };
}

/** Runs `fn` without recording. @throws TypeError when fn is asynchronous */
export function noGrad<T>(fn: () => T): T {
  return withFrame({ recording: false, reads: null }, fn);
}

/** Puts a rule of its own on every tape that watches an input; the value gets a new identity. */
function recordRule(rule: Rule<null>, ins: readonly Tensor[], value: Tensor): Tensor {
  const tapes = openTapes(ins);
  const own = noGrad(() => apply(reshapeOp, [value], { shape: value.shape })[0]!);
  own.ref.tapes = tapes;
  for (const tape of tapes) tape.record(rule, ins, [own], null);
  return own;
}

/**
 * Runs `fn` without keeping what its gradient needs; backward runs it once more (Chen et al. 2016). `fn` must give the
 * same result again: randomness by explicit keys only. Pass intermediate tensors as arguments, not by closure.
 */
export function checkpoint(fn: (...xs: Tensor[]) => Tensor, ...xs: readonly Tensor[]): Tensor {
  if (!frame().recording) return fn(...xs);
  const reads = new Map<ValueRef, Tensor>();
  const s: Scope = scope();
  try {
    const value = s.run(() => withFrame({ recording: false, reads }, () => fn(...xs)));
    const closed = [...reads.values()].filter((t) => !xs.some((x) => x.ref === t.ref));
    const ins = [...xs, ...closed];
    const rule: Rule<null> = {
      name: 'checkpoint',
      saveIns: 'all',
      saveOuts: 'none',
      vjp: ({ ins: saved, cts, needs }) => rerun(fn, saved, xs.length, cts[0]!, needs),
    };
    return s.release(s.run(() => recordRule(rule, ins, value)));
  } finally {
    for (const t of reads.values()) t.dispose();
    s.dispose();
  }
}

function rerun(
  fn: (...xs: Tensor[]) => Tensor,
  saved: readonly Tensor[],
  explicit: number,
  ct: Tensor,
  needs: readonly boolean[],
): readonly (Tensor | null)[] {
  const tape = new Tape();
  const s = scope();
  const wanted = saved.filter((_, i) => needs[i]).map((t) => t.ref);
  try {
    for (const ref of wanted) tape.watch(ref);
    const value = s.run(() =>
      withFrame({ recording: true }, () => fn(...saved.slice(0, explicit))),
    );
    const found = backward(tape, [[value.ref, ct]], wanted);
    return saved.map((t) => found.get(t.ref) ?? null);
  } finally {
    for (const ref of wanted) tape.unwatch(ref);
    tape.release();
    s.dispose();
  }
}

/** What a function with its own gradient rule returns. */
export interface CustomGrad {
  /** Result of the function. */
  readonly value: Tensor;
  /** Tensors that `vjp` needs later. */
  readonly save?: readonly Tensor[];
  /** Cotangents of the inputs, null for none. */
  readonly vjp: (ct: Tensor, saved: readonly Tensor[]) => readonly (Tensor | null)[];
}

/** A function with a gradient rule of its own. The rule may call ops, so higher orders differentiate it. */
export function customGrad(fn: (...xs: Tensor[]) => CustomGrad): (...xs: Tensor[]) => Tensor {
  return (...xs) => {
    const s = scope();
    try {
      const { value, save = [], vjp: rule } = s.run(() => noGrad(() => fn(...xs)));
      const own: Rule<null> = {
        name: 'customGrad',
        saveIns: save.map((_, i) => xs.length + i),
        saveOuts: 'none',
        vjp: ({ ins, cts }) => [...rule(cts[0]!, ins.slice(xs.length)), ...save.map(() => null)],
      };
      return s.release(s.run(() => recordRule(own, [...xs, ...save], value)));
    } finally {
      s.dispose();
    }
  };
}
