/**
 * Products of strided matrices. In the GL modes operands are first packed, two rows by two columns in one element: a
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
  const fits = batchSize(sizes) * blocksOf(Math.max(m, n, k)) <= context.packs;
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

/** Blocks of two by two along an axis of a packed matrix: an even number, since products read two at a time. */
const blocksOf = (size: number): number => 2 * Math.ceil(size / 4);

/** A packed matrix, and how elements are read from a block of it. */
interface Packed {
  readonly array: DeviceArray;
  /** It holds the matrix turned. */
  readonly turned: boolean;
}

/**
 * `[batch * blocks, blocks]` elements that hold two rows by two columns, 0 beside the matrix. Of a matrix and its
 * transpose there is one packed form, kept with the operand: an activation is packed once for all its products,
 * forward and backward.
 */
function pack(
  context: Context,
  x: Matrices,
  batch: readonly number[],
  [rows, columns]: readonly [number, number],
): Packed {
  if (x.row < x.column) {
    const turned = { ...x, row: x.column, column: x.row };
    return { array: pack(context, turned, batch, [columns, rows]).array, turned: true };
  }
  const rank = batch.length;
  const [rows2, width] = [blocksOf(rows), blocksOf(columns)];
  const part = (i: number, j: number) =>
    `r + ${i} < rows && c + ${j} < columns ? x[at + ${i} * row + ${j} * column] : 0`;
  const array = launchNamed(context, {
    name: `pack/${rank}`,
    arrays: { x: x.array },
    ints: { ...batchInts({ batch }, { x }), rows, columns, row: x.row, column: x.column, rows2 },
    width,
    size: batch.reduce((p, q) => p * q, 1) * rows2 * width,
    kept: true,
    body: `${divide('batch', 'block', 'this.thread.y', 'rows2')}
${coordinates('batch', rank)}
const r = 2 * block;
const c = 2 * this.thread.x;
const at = o_x + ${dotStrides('x', rank)} + r * row + c * column;
return [${[part(0, 0), part(0, 1), part(1, 0), part(1, 1)].join(', ')}];`,
  });
  return { array, turned: false };
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
  const [m2, n2] = [Math.ceil(m / 2), Math.ceil(n / 2)];
  const left = pack(context, a, batch, [m, k]);
  const right = pack(context, b, batch, [k, n]);
  /** Source of the block of a packed operand at a row and a column of blocks, and of one of its elements. */
  const block = ({ turned }: Packed, name: string, row: string, column: string) =>
    turned ? `${name}[${name}0 + ${column}][${row}]` : `${name}[${name}0 + ${row}][${column}]`;
  const at = ({ turned }: Packed, row: number, column: number) =>
    turned ? 2 * column + row : 2 * row + column;
  const term = (i: number, j: number, p: string, q: string) =>
    [0, 1].map((l) => `${p}[${at(left, i, l)}] * ${q}[${at(right, l, j)}]`).join(' + ');
  const sum = (i: number, j: number) =>
    `s${i}${j} += ${term(i, j, 'p', 'q')} + ${term(i, j, 'u', 'v')};`;
  const products = launchNamed(context, {
    name: `product.packed/${left.turned}/${right.turned}`,
    arrays: { a: left.array, b: right.array },
    packed: ['a', 'b'],
    ints: {
      ...{ m2, k4: Math.ceil(k / 4) },
      aRows: blocksOf(left.turned ? k : m),
      bRows: blocksOf(right.turned ? n : k),
    },
    floats: { factor },
    width: n2,
    size: count * m2 * n2,
    body: `${divide('batch', 'row2', 'this.thread.y', 'm2')}
const column2 = this.thread.x;
const a0 = batch * aRows;
const b0 = batch * bRows;
let s00 = 0.0;
let s01 = 0.0;
let s10 = 0.0;
let s11 = 0.0;
for (let i = 0; i < k4; i++) {
  const p = ${block(left, 'a', 'row2', '2 * i')};
  const q = ${block(right, 'b', '2 * i', 'column2')};
  const u = ${block(left, 'a', 'row2', '2 * i + 1')};
  const v = ${block(right, 'b', '2 * i + 1', 'column2')};
  ${[sum(0, 0), sum(0, 1), sum(1, 0), sum(1, 1)].join('\n  ')}
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
  context.executor.release(products);
  return result;
}
