/** Matrix products and what is built on them. */
import { apply1 } from '../apply';
import { broadcastShapes, showAval, sizeOf } from '../dtype';
import { DTypeError, ShapeError } from '../errors';
import type { Op } from '../op';
import { sameDType } from '../shape-rules';
import type { Tensor } from '../tensor';
import { add, mul } from './arithmetic';
import { eq, ge, le, where } from './select';
import { iota } from './create';
import { broadcastTo, cast, permute, reshape, sum, sumTo, unsqueeze } from './linear';
import { tidy } from '../scope';

/** Options of `matmul`. */
export interface MatmulOptions {
  /** a is stored as [..., k, m]. */
  readonly transA?: boolean;
  /** b is stored as [..., n, k]. */
  readonly transB?: boolean;
}

export const matmulOp: Op<'matmul'> = {
  name: 'matmul',
  infer([a, b], { transA, transB }) {
    const dtype = sameDType('matmul', [a!, b!]);
    if (dtype === 'bool') {
      throw new DTypeError('matmul', `${showAval(a!)} @ ${showAval(b!)}: cast bools to numbers`, [
        'bool',
      ]);
    }
    const [x, y] = [a!.shape, b!.shape];
    const fail = (what: string): never => {
      throw new ShapeError('matmul', what, [x, y]);
    };
    const both = `${showAval(a!)}${transA ? 'ᵀ' : ''} @ ${showAval(b!)}${transB ? 'ᵀ' : ''}`;
    if (x.length < 2 || y.length < 2) fail(`needs at least 2 axes: ${both}`);
    const m = x.at(transA ? -1 : -2)!;
    const k = x.at(transA ? -2 : -1)!;
    const k2 = y.at(transB ? -1 : -2)!;
    const n = y.at(transB ? -2 : -1)!;
    if (k !== k2) fail(`inner sizes differ: ${both}; ${k} vs ${k2}`);
    const batch = broadcastShapes(x.slice(0, -2), y.slice(0, -2));
    if (batch === null) fail(`batch axes do not broadcast: ${both}`);
    return [{ shape: [...batch!, m, n], dtype }];
  },
  // C = A B: dA = dC Bᵀ, dB = Aᵀ dC, transposed where the operand is
  vjp: ({ ins, cts, needs, attrs: { transA, transB } }) => {
    const [a, b] = [ins[0]!, ins[1]!];
    const dc = cts[0]!;
    const da = (): Tensor =>
      transA ? matmul(b, dc, { transA: transB, transB: true }) : matmul(dc, b, { transB: !transB });
    const db = (): Tensor =>
      transB ? matmul(dc, a, { transA: true, transB: transA }) : matmul(a, dc, { transA: !transA });
    return [needs[0] ? sumTo(da(), a.shape) : null, needs[1] ? sumTo(db(), b.shape) : null];
  },
};

/**
 * Matrix product `[..., m, k] @ [..., k, n] -> [..., m, n]`; batch axes broadcast, the flags read an operand as
 * transposed. 1-D operands are row and column vectors, whose axis is dropped from the result.
 * @throws ShapeError when sizes do not fit, DTypeError when dtypes differ
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  return tidy(() => {
    const { transA = false, transB = false } = options;
    if (a.rank === 0 || b.rank === 0) {
      throw new ShapeError(
        'matmul',
        `${showAval(a)} @ ${showAval(b)}: scalars have no inner axis: use mul`,
        [a.shape, b.shape],
      );
    }
    if (a.rank === 1) {
      const row = matmul(reshape(a, [1, a.size]), b, { transB: transB && b.rank > 1 });
      if (b.rank === 1) return reshape(row, []);
      return reshape(row, [...row.shape.slice(0, -2), row.shape.at(-1)!]);
    }
    if (b.rank === 1) {
      const column = matmul(a, reshape(b, [b.size, 1]), { transA });
      return reshape(column, column.shape.slice(0, -1));
    }
    // one large product instead of a batch of small ones with a shared right side
    if (a.rank > 2 && b.rank === 2 && !transA) {
      const rows = a.size === 0 ? sizeOf(a.shape.slice(0, -1)) : a.size / a.shape.at(-1)!;
      const flat = reshape(a, [rows, a.shape.at(-1)!]);
      const product = apply1(matmulOp, [flat, b], { transA, transB });
      return reshape(product, [...a.shape.slice(0, -1), product.shape[1]!]);
    }
    return apply1(matmulOp, [a, b], { transA, transB });
  });
}

/** `x [..., in] @ weightᵀ [out, in] + bias [out]`. @throws ShapeError, DTypeError */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return tidy(() => {
    if (
      weight.rank !== 2 ||
      (bias !== null && (bias.rank !== 1 || bias.shape[0] !== weight.shape[0]))
    ) {
      throw new ShapeError(
        'linear',
        `weight ${showAval(weight)} and bias ${bias ? showAval(bias) : 'none'}: they are [out, in] and [out]`,
        [weight.shape],
      );
    }
    const y = matmul(x, weight, { transB: true });
    return bias === null ? y : add(y, bias);
  });
}

/** An Einstein sum with one letter for each axis: ellipses are spelled out. */
interface Einsum {
  readonly operands: readonly (readonly [x: Tensor, letters: string])[];
  readonly output: string;
}

/** Stands for the i-th axis of an ellipsis, counted from its end. */
const ellipsisAxis = (i: number): string => String.fromCharCode(0x2460 + i);

/** Reads and checks an equation. @throws ShapeError for a malformed one, or sizes that differ */
function parseEinsum(equation: string, xs: readonly Tensor[]): Einsum {
  const bad = (what: string): never => {
    throw new ShapeError(
      'einsum',
      `'${equation}' with ${xs.map(showAval).join(', ')}: ${what}`,
      xs.map((x) => x.shape),
    );
  };
  const [left = '', right, ...more] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  const wellFormed = [...terms, right ?? ''].every((t) => /^[a-zA-Z]*(\.{3})?[a-zA-Z]*$/.test(t));
  if (right === undefined || more.length > 0 || !wellFormed) bad("write it as 'ij,jk->ik'");
  if (terms.length !== xs.length) bad(`names ${terms.length} operands, got ${xs.length}`);
  let widest = 0;
  const spelled = terms.map((term, o) => {
    const rest = xs[o]!.rank - term.replace('...', '').length;
    if (rest < 0 || (rest > 0 && !term.includes('...')))
      bad(`operand ${o} has ${xs[o]!.rank} axes, '${term}' names ${xs[o]!.rank - rest}`);
    widest = Math.max(widest, rest);
    return term.replace('...', axesOfEllipsis(rest));
  });
  const sizes = new Map<string, number>();
  const isEllipsis = (c: string): boolean => c >= ellipsisAxis(0);
  spelled.forEach((letters, o) => {
    [...letters].forEach((c, i) => {
      const d = xs[o]!.shape[i]!;
      const known = sizes.get(c) ?? d;
      if (known !== d && !(isEllipsis(c) && (known === 1 || d === 1)))
        bad(`index ${isEllipsis(c) ? '...' : c} is ${known} and ${d}`);
      sizes.set(c, known === 1 ? d : known);
    });
  });
  const output = right!.replace('...', axesOfEllipsis(widest));
  if (new Set(output).size !== output.length) bad('an output index repeats');
  for (const c of output) if (!sizes.has(c)) bad(`output index ${c} is in no operand`);
  // an axis of size 1 that broadcasts is left out: the others carry it
  const operands = spelled.map((letters, o) => {
    const x = xs[o]!;
    const kept = [...letters].flatMap((c, i) => (x.shape[i] === sizes.get(c) ? [i] : []));
    const squeezed = reshape(
      x,
      kept.map((i) => x.shape[i]!),
    );
    return [squeezed, kept.map((i) => letters[i]).join('')] as const;
  });
  return { operands, output };
}

function axesOfEllipsis(n: number): string {
  return Array.from({ length: n }, (_, i) => ellipsisAxis(n - 1 - i)).join('');
}

/** Repeated letters become their diagonal: `ii -> i`. */
function diagonals(x: Tensor, letters: string): readonly [Tensor, string] {
  for (let i = 0; i < letters.length; i++) {
    const j = letters.indexOf(letters[i]!, i + 1);
    if (j < 0) continue;
    const n = x.shape[i]!;
    const mask = reshape(
      cast(eq(unsqueeze(iota(n), 1), iota(n)), x.dtype),
      x.shape.map((d, a) => (a === i || a === j ? d : 1)),
    );
    return diagonals(sum(mul(x, mask), j), letters.slice(0, j) + letters.slice(j + 1));
  }
  return [x, letters];
}

/** Two operands to one: batch letters are shared and kept, contracted ones shared and dropped. */
function contract(
  [x, a]: readonly [Tensor, string],
  [y, b]: readonly [Tensor, string],
  keep: ReadonlySet<string>,
): readonly [Tensor, string] {
  const solo = (t: Tensor, letters: string, other: string): readonly [Tensor, string] => {
    const drop = [...letters].flatMap((c, i) => (!other.includes(c) && !keep.has(c) ? [i] : []));
    return drop.length === 0
      ? [t, letters]
      : [sum(t, drop), [...letters].filter((_, i) => !drop.includes(i)).join('')];
  };
  const [p, pl] = solo(x, a, b);
  const [q, ql] = solo(y, b, a);
  const batch = [...pl].filter((c) => ql.includes(c) && keep.has(c));
  const inner = [...pl].filter((c) => ql.includes(c) && !keep.has(c));
  const left = [...pl].filter((c) => !ql.includes(c));
  const right = [...ql].filter((c) => !pl.includes(c));
  const size = (c: string): number =>
    pl.includes(c) ? p.shape[pl.indexOf(c)]! : q.shape[ql.indexOf(c)]!;
  const total = (cs: readonly string[]): number => cs.reduce((n, c) => n * size(c), 1);
  const arrange = (t: Tensor, letters: string, order: readonly string[], shape: number[]): Tensor =>
    reshape(
      permute(
        t,
        order.map((c) => letters.indexOf(c)),
      ),
      shape,
    );
  const l = arrange(
    p,
    pl,
    [...batch, ...left, ...inner],
    [total(batch), total(left), total(inner)],
  );
  const r = arrange(
    q,
    ql,
    [...batch, ...inner, ...right],
    [total(batch), total(inner), total(right)],
  );
  const letters = [...batch, ...left, ...right];
  return [reshape(matmul(l, r), letters.map(size)), letters.join('')];
}

/**
 * Einstein summation over explicit equations (`'bqd,bkd->bqk'`), contracted from left to right as matrix products. Axes
 * under `...` broadcast, and are summed where the output has no `...`.
 * @throws ShapeError for a malformed equation or sizes that differ
 */
export function einsum(equation: string, ...xs: readonly Tensor[]): Tensor {
  return tidy(() => {
    const { operands, output } = parseEinsum(equation, xs);
    const terms = operands.map(([x, letters]) => diagonals(x, letters));
    let [result, letters] = terms[0]!;
    for (let i = 1; i < terms.length; i++) {
      const later = terms.slice(i + 1).map(([, l]) => l);
      const keep = new Set([...output, ...later.join('')]);
      [result, letters] = contract([result, letters], terms[i]!, keep);
    }
    const drop = [...letters].flatMap((c, i) => (output.includes(c) ? [] : [i]));
    if (drop.length > 0) {
      result = sum(result, drop);
      letters = [...letters].filter((c) => output.includes(c)).join('');
    }
    return permute(
      result,
      [...output].map((c) => letters.indexOf(c)),
    );
  });
}

/** Zeros above the `diagonal`-th diagonal of the last two axes. @throws ShapeError for fewer than 2 axes */
export function tril(x: Tensor, diagonal = 0): Tensor {
  return triangle('tril', x, diagonal);
}

/** Zeros below the `diagonal`-th diagonal of the last two axes. @throws ShapeError for fewer than 2 axes */
export function triu(x: Tensor, diagonal = 0): Tensor {
  return triangle('triu', x, diagonal);
}

function triangle(op: 'tril' | 'triu', x: Tensor, diagonal: number): Tensor {
  return tidy(() => {
    if (x.rank < 2) throw new ShapeError(op, `${showAval(x)} has no matrices`, [x.shape]);
    const [rows, columns] = [x.shape.at(-2)!, x.shape.at(-1)!];
    const i = add(unsqueeze(iota(rows), 1), diagonal);
    const j = iota(columns);
    const inside = op === 'tril' ? le(j, i) : ge(j, i);
    return where(broadcastTo(inside, x.shape), x, 0);
  });
}
