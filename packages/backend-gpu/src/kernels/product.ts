/**
 * Products of strided matrices. In the GL modes operands are first packed, four numbers along the sum in one element: a
 * thread then reads 4 elements for 16 multiplications, where one by one it reads 32.
 */
import type { DeviceArray } from '../executor';
import { type Context, launchNamed, type Operand } from '../launch';
import {
  coordinates,
  divide,
  dotStrides,
  maxElements,
  notExact,
  sizeNames,
  strideNames,
  sumOver,
  times,
} from '../source';

/** Matrices `[...batch, rows, columns]` in memory. */
export interface Matrices {
  readonly array: Operand;
  /** Stride of each axis of the batch, then of rows and of columns. */
  readonly batch: readonly number[];
  readonly row: number;
  readonly column: number;
}

/** Sizes of a batch of products `[m, k] [k, n]`. */
export interface ProductSizes {
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What else a product is asked for. */
export interface ProductOptions {
  /** Of every element of the result (1). */
  readonly factor?: number;
  /** i32: a sum that leaves what f32 holds on the way is refused. */
  readonly integers?: boolean;
}

/** `[...batch, m, n]`; the caller owns it. The result is not empty. */
export function product(
  context: Context,
  a: Matrices,
  b: Matrices,
  sizes: ProductSizes,
  { factor = 1, integers = false }: ProductOptions = {},
): DeviceArray {
  if (integers) return integerProduct(context, a, b, sizes);
  const { m, n, k } = sizes;
  const pays = m >= 8 && n >= 8 && k >= 8;
  const fits = batchSize(sizes) * Math.max(m, n) <= context.packs && k <= 4 * context.packs;
  return pays && fits
    ? packedProduct(context, a, b, sizes, factor)
    : plainProduct(context, a, b, sizes, factor);
}

const batchSize = ({ batch }: ProductSizes): number => batch.reduce((x, y) => x * y, 1);

/** Integer arguments by name. */
function named(names: readonly string[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}

/** Integer arguments that place matrices in a batch. */
function batchInts(
  { batch }: Pick<ProductSizes, 'batch'>,
  operands: Readonly<Record<string, Matrices>>,
): Record<string, number> {
  const rank = batch.length;
  return Object.assign(
    named(sizeNames(rank), batch.slice(1)),
    ...Object.entries(operands).map(([name, x]) => named(strideNames(name, rank), x.batch)),
  );
}

/** One element at a time: `sum` is the source of the sum of the terms, over `i` < k, and of its return. */
function elementwise(
  context: Context,
  name: string,
  [a, b]: readonly [Matrices, Matrices],
  sizes: ProductSizes,
  sum: (term: (i: string) => string) => string,
  options: { readonly floats?: Readonly<Record<string, number>>; readonly exact?: string } = {},
): DeviceArray {
  const { m, n, k } = sizes;
  const rank = sizes.batch.length;
  return launchNamed(context, {
    name: `${name}/${rank}`,
    arrays: { a: a.array, b: b.array },
    ints: {
      ...batchInts(sizes, { a, b }),
      ...{ m, n, k, am: a.row, ak: a.column, bk: b.row, bn: b.column },
    },
    ...options,
    size: batchSize(sizes) * m * n,
    body: `${divide('line', 'column', 'this.thread.x', 'n')}${divide('batch', 'row', 'line', 'm')}
${coordinates('batch', rank)}
const pa = o_a + ${dotStrides('a', rank)} + row * am;
const pb = o_b + ${dotStrides('b', rank)} + column * bn;
${sum((i) => `a[pa + ${i} * ak] * b[pb + ${i} * bk]`)}`,
  });
}

function plainProduct(
  context: Context,
  a: Matrices,
  b: Matrices,
  sizes: ProductSizes,
  factor: number,
): DeviceArray {
  const sum = (term: (i: string) => string): string =>
    `${sumOver('total', 'k', term)}return total * factor;`;
  return elementwise(context, 'product', [a, b], sizes, sum, { floats: { factor } });
}

function integerProduct(
  context: Context,
  a: Matrices,
  b: Matrices,
  sizes: ProductSizes,
): DeviceArray {
  const sum = (term: (i: string) => string): string => `let total = 0.0;
let lost = 0;
for (let i = 0; i < k; i++) {
  total += ${term('i')};
  if (Math.abs(total) >= ${maxElements}) { lost = 1; }
}
if (lost > 0) { return ${notExact}; }
return total;`;
  return elementwise(context, 'product.i32', [a, b], sizes, sum, { exact: 'matmul' });
}

/** `[batch * rows, ⌈columns / 4⌉]` elements of four numbers; what is beside the matrix is 0. */
function pack(
  context: Context,
  x: Matrices,
  batch: readonly number[],
  rows: number,
  columns: number,
): DeviceArray {
  const rank = batch.length;
  const fours = Math.ceil(columns / 4);
  const part = (i: number) => `first + ${i} < columns ? x[at + ${i} * column] : 0`;
  return launchNamed(context, {
    name: `pack/${rank}`,
    arrays: { x: x.array },
    ints: { ...batchInts({ batch }, { x }), rows, columns, row: x.row, column: x.column },
    width: fours,
    size: batch.reduce((p, q) => p * q, 1) * rows * fours,
    body: `${divide('batch', 'r', 'this.thread.y', 'rows')}
${coordinates('batch', rank)}
const first = 4 * this.thread.x;
const at = o_x + ${dotStrides('x', rank)} + r * row + first * column;
return [${times(4, part).join(', ')}];`,
  });
}

/** An element of the packed product holds two rows by two columns. */
function packedProduct(
  context: Context,
  a: Matrices,
  b: Matrices,
  sizes: ProductSizes,
  factor: number,
): DeviceArray {
  const { batch, m, n, k } = sizes;
  const count = batchSize(sizes);
  const k4 = Math.ceil(k / 4);
  const [m2, n2] = [Math.ceil(m / 2), Math.ceil(n / 2)];
  const turned = { ...b, row: b.column, column: b.row };
  const left = pack(context, a, batch, m, k);
  const right = pack(context, turned, batch, n, k);
  const dot = (p: string, q: string) => times(4, (i) => `${p}[${i}] * ${q}[${i}]`).join(' + ');
  const products = launchNamed(context, {
    name: 'product.packed',
    arrays: { a: left, b: right },
    packed: ['a', 'b'],
    ints: { m, n, k4, m2 },
    floats: { factor },
    width: n2,
    size: count * m2 * n2,
    body: `${divide('batch', 'row2', 'this.thread.y', 'm2')}
const pa0 = batch * m + 2 * row2;
const pb0 = batch * n + 2 * this.thread.x;
const pa1 = 2 * row2 + 1 < m ? pa0 + 1 : pa0;
const pb1 = 2 * this.thread.x + 1 < n ? pb0 + 1 : pb0;
let s00 = 0.0;
let s01 = 0.0;
let s10 = 0.0;
let s11 = 0.0;
for (let i = 0; i < k4; i++) {
  const p0 = a[pa0][i];
  const p1 = a[pa1][i];
  const q0 = b[pb0][i];
  const q1 = b[pb1][i];
  s00 += ${dot('p0', 'q0')};
  s01 += ${dot('p0', 'q1')};
  s10 += ${dot('p1', 'q0')};
  s11 += ${dot('p1', 'q1')};
}
return [s00 * factor, s01 * factor, s10 * factor, s11 * factor];`,
  });
  const result = launchNamed(context, {
    name: 'unpack',
    arrays: { x: products },
    packed: ['x'],
    ints: { m, n, m2 },
    size: count * m * n,
    body: `${divide('line', 'column', 'this.thread.x', 'n')}${divide('batch', 'row', 'line', 'm')}
const row2 = Math.floor(row * 0.5);
const column2 = Math.floor(column * 0.5);
const block = x[batch * m2 + row2][column2];
const top = column > 2 * column2 ? block[1] : block[0];
const bottom = column > 2 * column2 ? block[3] : block[2];
return row > 2 * row2 ? bottom : top;`,
  });
  for (const array of [left, right, products]) context.executor.release(array);
  return result;
}
