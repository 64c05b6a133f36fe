/** Reductions along axes, running sums and orders. */
import type { Kernel, Kernels, Shape, View } from '@loretta-ts/core';
import { ShapeError } from '@loretta-ts/core';
import type { DeviceArray } from '../executor';
import { aroundAxis } from '../layout';
import { compute, type Context, exactFor, launch, located, type Operand } from '../launch';
import { divide, type KernelSource, maxElements, notExact } from '../source';

type FoldName = 'sum' | 'prod' | 'max' | 'min';

interface Fold {
  readonly initial: number;
  /** Statements that take `x` into `s`. */
  readonly step: string;
}

const larger = (sign: '>' | '<') => `if (x ${sign} s) { s = x; }
if (!(x > 0 || x <= 0)) { nan = nan + x; }`;

// The extrema start at the first element; NaN is gathered on the side.
const folds: Readonly<Record<FoldName, Fold>> = {
  sum: { initial: 0, step: 's += x;' },
  prod: { initial: 1, step: 's = s * x;' },
  max: { initial: 0, step: larger('>') },
  min: { initial: 0, step: larger('<') },
};

/** Integers: once a partial result leaves what f32 holds, the result does. */
const staysExact = `if (Math.abs(s) >= ${maxElements}) { lost = 1; }`;

/** `[outer, length, inner] -> [outer, inner]`. */
function foldSource(op: FoldName, integers: boolean): KernelSource {
  const { initial, step } = folds[op];
  const extremum = op === 'max' || op === 'min';
  const checked = integers && !extremum;
  const first = extremum ? 'a[base]' : `${initial}.0`;
  return {
    name: checked ? `${op}.i32` : op,
    arrays: ['a'],
    ints: ['offset', 'count', 'inner'],
    floats: [],
    body: `${divide('o', 'r', 'this.thread.x', 'inner')}const base = offset + o * count * inner + r;
let s = ${first};
let nan = 0.0;
let lost = 0;
for (let j = 0; j < count; j++) {
  const x = a[base + j * inner];
  ${step}
  ${checked ? staysExact : ''}
}
${checked ? `if (lost > 0) { return ${notExact}; }` : ''}
return ${extremum ? 'nan === 0 ? s : nan' : 's'};`,
  };
}

/** Longer reductions run in two steps: shorter chains of roundings, more to do side by side. */
const longestChain = 2048;

function refuseEmpty(op: string, reduced: number, out: View, shape: Shape): void {
  if (reduced === 0 && out.size > 0) {
    throw new ShapeError(op, `nothing to reduce in [${shape.join(',')}]: check the size first`, [
      shape,
    ]);
  }
}

/** One axis group to reduce, as `[outer, length, inner]`. */
interface Group {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** Neighbouring reduced axes as one; from the last to the first, so that the strides of those to come stay. */
function groupsOf(shape: Shape, axes: readonly number[]): Group[] {
  const sizes = [...shape];
  const groups: Group[] = [];
  let axis = shape.length - 1;
  while (axis >= 0) {
    if (!axes.includes(axis)) {
      axis--;
      continue;
    }
    let first = axis;
    while (first > 0 && axes.includes(first - 1)) first--;
    const product = (from: number, to: number) => sizes.slice(from, to).reduce((n, d) => n * d, 1);
    groups.push({
      outer: product(0, first),
      length: product(first, axis + 1),
      inner: product(axis + 1, sizes.length),
    });
    sizes.fill(1, first, axis + 1);
    axis = first - 1;
  }
  return groups;
}

/** `[outer, length, inner]` as chunks: the first step of a long reduction, where the length divides. */
function split(group: Group): readonly Group[] {
  const { outer, length, inner } = group;
  if (length <= longestChain) return [group];
  for (let chunk = Math.floor(Math.sqrt(length)); chunk <= longestChain; chunk++) {
    if (length % chunk === 0) {
      return [
        { outer: outer * (length / chunk), length: chunk, inner },
        { outer, length: length / chunk, inner },
      ];
    }
  }
  return [group];
}

/** Elements to reduce. */
interface Reduced {
  readonly x: Operand;
  readonly shape: Shape;
  readonly integers?: boolean;
}

/** Reduces axes; the caller owns the result. */
export function reduceAxes(
  context: Context,
  op: FoldName,
  { x, shape, integers = false }: Reduced,
  axes: readonly number[],
): DeviceArray {
  const { array, offset } = located(context, op, x);
  const groups = groupsOf(shape, axes).flatMap(split);
  // Nothing to reduce is a copy: a reduction over one element.
  if (groups.length === 0) {
    groups.push({ outer: shape.reduce((n, d) => n * d, 1), length: 1, inner: 1 });
  }
  const source = foldSource(op, integers);
  return groups.reduce((from, { outer, length, inner }, step) => {
    const next = compute(context, source, [from], Math.max(outer * inner, 1), {
      ints: [step === 0 ? offset : 0, length, inner],
      ...(integers ? { exact: op } : {}),
    });
    if (step > 0) context.executor.release(from);
    return next;
  }, array);
}

function fold(context: Context, op: FoldName): Kernel<FoldName> {
  return ([x], [out], { axes }) => {
    const { shape } = x!;
    const reduced = axes.reduce((n, a) => n * shape[a]!, 1);
    if (op === 'max' || op === 'min') refuseEmpty(op, reduced, out!, shape);
    if (out!.size === 0) return;
    const integers = x!.dtype === 'i32';
    const result = reduceAxes(context, op, { x: x!, shape, integers }, axes);
    context.memory.store(out!, result);
  };
}

/** The first index of the extremum, or of the first NaN. */
function argSource(op: 'argmax' | 'argmin'): KernelSource {
  const sign = op === 'argmax' ? '>' : '<';
  return {
    name: op,
    arrays: ['a'],
    ints: ['offset', 'count', 'inner'],
    floats: [],
    body: `${divide('o', 'r', 'this.thread.x', 'inner')}const base = offset + o * count * inner + r;
let s = a[base];
let best = 0.0;
let found = 0;
for (let j = 0; j < count; j++) {
  const x = a[base + j * inner];
  if (found === 0) {
    if (!(x > 0 || x <= 0)) { best = j; found = 1; }
    if (x ${sign} s) { s = x; best = j; }
  }
}
return best;`,
  };
}

function argExtremum(context: Context, op: 'argmax' | 'argmin'): Kernel<'argmax' | 'argmin'> {
  const source = argSource(op);
  return ([x], [out], { axis }) => {
    const { length, inner } = aroundAxis(x!.shape, axis);
    refuseEmpty(op, length, out!, x!.shape);
    launch(context, source, [x!], out!, {
      ints: [x!.offset, length, inner],
      range: [0, length - 1],
    });
  };
}

/** Every element adds up what comes before it: O(length) work per element, no order between threads. */
const cumsumSource = (integers: boolean): KernelSource => ({
  name: integers ? 'cumsum.i32' : 'cumsum',
  arrays: ['a'],
  ints: ['offset', 'count', 'inner', 'reverse'],
  floats: [],
  body: `${divide('q', 'r', 'this.thread.x', 'inner')}${divide('o', 'at', 'q', 'count')}
const base = offset + o * count * inner + r;
let s = 0.0;
let lost = 0;
for (let j = 0; j < count; j++) {
  const k = reverse > 0 ? count - 1 - j : j;
  if ((reverse > 0 && k >= at) || (reverse < 1 && k <= at)) {
    s += a[base + k * inner];
    ${integers ? staysExact : ''}
  }
}
${integers ? `if (lost > 0) { return ${notExact}; }` : ''}
return s;`,
});

function cumsum(context: Context): Kernel<'cumsum'> {
  return ([x], [out], { axis, reverse }) => {
    const { length, inner } = aroundAxis(x!.shape, axis);
    launch(context, cumsumSource(x!.dtype === 'i32'), [x!], out!, {
      ints: [x!.offset, length, inner, Number(reverse)],
      ...exactFor('cumsum', out!),
    });
  };
}

/** The place of each element in its line: how many come before it. NaN is largest, equals keep their order. */
const rankSource: KernelSource = {
  name: 'argsort.rank',
  arrays: ['a'],
  ints: ['offset', 'count', 'inner', 'descending'],
  floats: [],
  body: `${divide('q', 'r', 'this.thread.x', 'inner')}${divide('o', 'at', 'q', 'count')}
const base = offset + o * count * inner + r;
const x = a[base + at * inner];
const xNaN = x > 0 || x <= 0 ? 0 : 1;
let before = 0.0;
for (let j = 0; j < count; j++) {
  const y = a[base + j * inner];
  const yNaN = y > 0 || y <= 0 ? 0 : 1;
  let order = yNaN - xNaN;
  if (xNaN === 0 && yNaN === 0) {
    if (y > x) { order = 1; }
    if (y < x) { order = -1; }
  }
  if (descending > 0) { order = -order; }
  if (order < 0 || (order === 0 && j < at)) { before += 1.0; }
}
return before;`,
};

/** The element whose place this is. */
const inverseSource: KernelSource = {
  name: 'argsort.inverse',
  arrays: ['a'],
  ints: ['count', 'inner'],
  floats: [],
  body: `${divide('q', 'r', 'this.thread.x', 'inner')}${divide('o', 'at', 'q', 'count')}
const base = o * count * inner + r;
let found = 0.0;
for (let j = 0; j < count; j++) {
  if (a[base + j * inner] === at) { found = j; }
}
return found;`,
};

/** O(length²) comparisons per line. */
function argsort(context: Context): Kernel<'argsort'> {
  return ([x], [out], { axis, descending }) => {
    if (out!.size === 0) return;
    const { length, inner } = aroundAxis(x!.shape, axis);
    const ranks = compute(context, rankSource, [context.memory.load('argsort', x!)], out!.size, {
      ints: [x!.offset, length, inner, Number(descending)],
    });
    const order = compute(context, inverseSource, [ranks], out!.size, {
      ints: [length, inner],
      range: [0, length - 1],
    });
    context.executor.release(ranks);
    context.memory.store(out!, order);
  };
}

/** Kernels of reductions, argument reductions, `argsort` and `cumsum`. */
export function reduceKernels(
  context: Context,
): Pick<Kernels, FoldName | 'argmax' | 'argmin' | 'argsort' | 'cumsum'> {
  return {
    sum: fold(context, 'sum'),
    prod: fold(context, 'prod'),
    max: fold(context, 'max'),
    min: fold(context, 'min'),
    argmax: argExtremum(context, 'argmax'),
    argmin: argExtremum(context, 'argmin'),
    argsort: argsort(context),
    cumsum: cumsum(context),
  };
}
