/**
 * Ops that choose or place elements by index. Threads have no shared places: sums over indices scan them all, or go by an
 * order that the host made where it knows them.
 */
import type { Kernel, Kernels, View } from '@loretta-ts/core';
import { sizeOf, stridesOf, ValueError } from '@loretta-ts/core';
import { aroundAxis, coalesce } from '../layout';
import { checkIndices, checkView, compute, type Context, exactFor, launch } from '../launch';
import {
  coordinates,
  divide,
  dotStrides,
  type KernelSource,
  maxElements,
  notExact,
  sizeNames,
  strideNames,
  times,
} from '../source';

type IndexName = 'gather' | 'scatterAdd' | 'embedding' | 'embeddingGrad' | 'updateSlice';

/** `x` is strided off the axis; `inner` is its stride along the axis. */
function gatherSource(rank: number): KernelSource {
  return {
    name: `gather/${rank}`,
    arrays: ['x', 'index'],
    ints: [...sizeNames(rank), 'ox', 'oi', ...strideNames('x', rank), 'inner'],
    floats: [],
    body: `${coordinates('this.thread.x', rank)}const pick = index[oi + this.thread.x];
return x[ox + ${dotStrides('x', rank)} + pick * inner];`,
  };
}

function offAxis(shape: readonly number[], axis: number): number[] {
  return stridesOf(shape).map((s, i) => (i === axis ? 0 : s));
}

function gather(context: Context): Kernel<'gather'> {
  return ([x, index], [out], { axis }) => {
    const { length, inner } = aroundAxis(x!.shape, axis);
    if (out!.size === 0) return;
    const walk = coalesce(index!.shape, [offAxis(x!.shape, axis)]);
    launch(context, gatherSource(walk.shape.length), [x!, index!], out!, {
      ints: [...walk.shape.slice(1), x!.offset, index!.offset, ...walk.strides[0]!, inner],
      before: [checkIndices(context, 'gather', index!, length)],
    });
  };
}

/** Element c adds every `src` whose index along the axis is its own; `m` are the sizes of the index. */
function scatterSource(rank: number, axis: number, integers: boolean): KernelSource {
  const others = times(rank, (d) => d).filter((d) => d !== axis);
  const inside = others.map((d) => `c${d} < m${d}`).join(' && ') || '0 < 1';
  const along = (operand: string) =>
    ['0', ...others.map((d) => `c${d} * s${operand}_${d}`)].join(' + ');
  return {
    name: `scatterAdd${integers ? '.i32' : ''}/${rank}/${axis}`,
    arrays: ['x', 'index', 'src'],
    ints: [
      ...sizeNames(rank),
      'ox',
      'oi',
      'os',
      ...times(rank, (d) => `m${d}`),
      ...strideNames('i', rank),
      ...strideNames('v', rank),
    ],
    floats: [],
    body: `${coordinates('this.thread.x', rank)}let s = x[ox + this.thread.x];
let lost = 0;
if (${inside}) {
  const pi = oi + ${along('i')};
  const pv = os + ${along('v')};
  for (let j = 0; j < m${axis}; j++) {
    if (index[pi + j * si_${axis}] === c${axis}) {
      s += src[pv + j * sv_${axis}];
      ${integers ? `if (Math.abs(s) >= ${maxElements}) { lost = 1; }` : ''}
    }
  }
}
${integers ? `if (lost > 0) { return ${notExact}; }` : ''}
return s;`,
  };
}

function scatterAdd(context: Context): Kernel<'scatterAdd'> {
  return ([x, index, src], [out], { axis }) => {
    const { shape } = x!;
    const check = checkIndices(context, 'scatterAdd', index!, shape[axis]!);
    const source = scatterSource(shape.length, axis, x!.dtype === 'i32');
    launch(context, source, [x!, index!, src!], out!, {
      ints: [
        ...shape.slice(1),
        x!.offset,
        index!.offset,
        src!.offset,
        ...index!.shape,
        ...stridesOf(index!.shape),
        ...stridesOf(src!.shape),
      ],
      before: [check],
      ...exactFor('scatterAdd', out!),
    });
  };
}

const embeddingSource: KernelSource = {
  name: 'embedding',
  arrays: ['table', 'ids'],
  ints: ['ot', 'oi', 'row'],
  floats: [],
  body: `${divide('i', 'j', 'this.thread.x', 'row')}return table[ot + ids[oi + i] * row + j];`,
};

function embedding(context: Context): Kernel<'embedding'> {
  return ([table, ids], [out]) => {
    launch(context, embeddingSource, [table!, ids!], out!, {
      ints: [table!.offset, ids!.offset, sizeOf(table!.shape.slice(1))],
      before: [checkIndices(context, 'embedding', ids!, table!.shape[0]!)],
    });
  };
}

const embeddingGradSource: KernelSource = {
  name: 'embeddingGrad',
  arrays: ['ids', 'dy'],
  ints: ['oi', 'od', 'row', 'count'],
  floats: [],
  body: `${divide('i', 'j', 'this.thread.x', 'row')}let s = 0.0;
for (let t = 0; t < count; t++) {
  if (ids[oi + t] === i) { s += dy[od + t * row + j]; }
}
return s;`,
};

/** Every row adds up only its own tokens: `order` lists them row by row, `starts` says from where. */
const embeddingGradSorted: KernelSource = {
  name: 'embeddingGrad.sorted',
  arrays: ['starts', 'order', 'dy'],
  ints: ['od', 'row'],
  floats: [],
  body: `${divide('i', 'j', 'this.thread.x', 'row')}let s = 0.0;
const from = starts[i];
let count = starts[i + 1] - from;
for (let t = 0; t < count; t++) { s += dy[od + order[from + t] * row + j]; }
return s;`,
};

/** Tokens sorted by id (a counting sort, stable), and where each id starts. */
function sortedTokens(
  ids: Int32Array,
  rows: number,
): { readonly starts: Float32Array; readonly order: Float32Array } {
  const starts = new Float32Array(rows + 1);
  for (const id of ids) starts[id + 1]!++;
  for (let i = 0; i < rows; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice();
  const order = new Float32Array(ids.length);
  ids.forEach((id, t) => {
    order[next[id]!++] = t;
  });
  return { starts, order };
}

function embeddingGrad(context: Context): Kernel<'embeddingGrad'> {
  return ([ids, dy], [out], { rows }) => {
    const known = dy!.dtype === 'f32' && out!.size > 0 ? context.memory.integers(ids!) : null;
    if (known !== null && known.length > 0 && known.every((id) => id >= 0 && id < rows)) {
      const { starts, order } = sortedTokens(known, rows);
      const { executor, memory } = context;
      const tables = [starts, order].map((table) => executor.upload(table, false));
      const arrays = [...tables, memory.load('embeddingGrad', dy!)];
      const ints = [dy!.offset, sizeOf(out!.shape.slice(1))];
      memory.store(out!, compute(context, embeddingGradSorted, arrays, out!.size, { ints }));
      for (const table of tables) executor.release(table);
      return;
    }
    launch(context, embeddingGradSource, [ids!, dy!], out!, {
      ints: [ids!.offset, dy!.offset, sizeOf(out!.shape.slice(1)), ids!.size],
      before: [checkIndices(context, 'embeddingGrad', ids!, rows)],
      ...exactFor('embeddingGrad', out!),
    });
  };
}

/** Rows of `length` elements of x, in which `run` elements from `start * inner` on are the update's. */
const updateSource: KernelSource = {
  name: 'updateSlice',
  arrays: ['x', 'update', 'start'],
  ints: ['ox', 'ou', 'os', 'row', 'run', 'inner'],
  floats: [],
  body: `${divide('o', 'r', 'this.thread.x', 'row')}const at = r - start[os] * inner;
if (at >= 0 && at < run) { return update[ou + o * run + at]; }
return x[ox + this.thread.x];`,
};

/** Asserts that `size` elements from the start lie on the axis. */
function checkStart(context: Context, start: View, size: number, length: number, axis: number) {
  return checkView(context, 'updateSlice', start, ([at]) => {
    if (at! < 0 || at! + size > length) {
      throw new ValueError(
        'updateSlice',
        `start ${at} with ${size} elements is outside axis ${axis} of size ${length}: ` +
          `start may be 0 to ${length - size}`,
      );
    }
  });
}

function updateSlice(context: Context): Kernel<'updateSlice'> {
  return ([x, update, start], [out], { axis }) => {
    const { length, inner } = aroundAxis(x!.shape, axis);
    const size = update!.shape[axis]!;
    launch(context, updateSource, [x!, update!, start!], out!, {
      ints: [x!.offset, update!.offset, start!.offset, length * inner, size * inner, inner],
      before: [checkStart(context, start!, size, length, axis)],
    });
  };
}

/** Kernels of the ops that take indices. */
export function indexingKernels(context: Context): Pick<Kernels, IndexName> {
  return {
    gather: gather(context),
    scatterAdd: scatterAdd(context),
    embedding: embedding(context),
    embeddingGrad: embeddingGrad(context),
    updateSlice: updateSlice(context),
  };
}
