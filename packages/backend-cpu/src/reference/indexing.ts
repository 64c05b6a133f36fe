/** Ops that choose or place elements by condition or index. Bad indices throw before anything is written. */
import type { CoreName, Kernel, Kernels, Shape, TypedArray } from '@loretta-ts/core';
import { sizeOf, stridesOf, ValueError } from '@loretta-ts/core';
import type { Read } from './strided';
import { aroundAxis, broadcastStrides, coalesce, eachRow, innerStrides } from './strided';

type IndexName = 'where' | 'gather' | 'scatterAdd' | 'embedding' | 'embeddingGrad' | 'updateSlice';

function checkIndices(op: CoreName, index: TypedArray, length: number): void {
  for (let i = 0; i < index.length; i++) {
    const v = index[i]!;
    if (v < 0 || v >= length) {
      throw new ValueError(
        op,
        `index ${v} (element ${i}) is outside [0, ${length}): pass indices of that range`,
      );
    }
  }
}

function where(read: Read): Kernel<'where'> {
  return ([cond, a, b], [out]) => {
    const c = read(cond!);
    const x = read(a!);
    const y = read(b!);
    const to = read(out!);
    const shape = out!.shape;
    const walk = coalesce(
      shape,
      [cond!, a!, b!].map((v) => broadcastStrides(v.shape, shape)),
    );
    const [stepC, stepX, stepY] = innerStrides(walk) as [number, number, number];
    let o = 0;
    eachRow(walk, [0, 0, 0], (n, at) => {
      let [i, j, k] = at as [number, number, number];
      for (const end = o + n; o < end; o++) {
        to[o] = c[i] !== 0 ? x[j]! : y[k]!;
        i += stepC;
        j += stepX;
        k += stepY;
      }
    });
  };
}

/**
 * Calls `place(inX, inIndex, inSrc)` for every element of the index in row-major order: its offset in
 * the tensor of `shape` without the indexed axis, in the index, and in a tensor of `srcShape`.
 */
function eachIndexed(
  shape: Shape,
  indexShape: Shape,
  srcShape: Shape,
  axis: number,
  place: (inX: number, inIndex: number, inSrc: number) => void,
): void {
  const offAxis = stridesOf(shape).map((s, i) => (i === axis ? 0 : s));
  const walk = coalesce(indexShape, [offAxis, stridesOf(indexShape), stridesOf(srcShape)]);
  const [stepX, stepIndex, stepSrc] = innerStrides(walk) as [number, number, number];
  eachRow(walk, [0, 0, 0], (n, at) => {
    const [x, i, s] = at as unknown as readonly [number, number, number];
    for (let j = 0; j < n; j++) place(x + j * stepX, i + j * stepIndex, s + j * stepSrc);
  });
}

function gather(read: Read): Kernel<'gather'> {
  return ([x, index], [out], { axis }) => {
    const from = read(x!);
    const picks = read(index!);
    checkIndices('gather', picks, x!.shape[axis]!);
    const to = read(out!);
    const { inner } = aroundAxis(x!.shape, axis);
    eachIndexed(x!.shape, index!.shape, index!.shape, axis, (inX, i) => {
      to[i] = from[inX + picks[i]! * inner]!;
    });
  };
}

function scatterAdd(read: Read): Kernel<'scatterAdd'> {
  return ([x, index, src], [out], { axis }) => {
    const picks = read(index!);
    checkIndices('scatterAdd', picks, x!.shape[axis]!);
    const from = read(src!);
    const to = read(out!);
    // f32 adds up in double and rounds once.
    const sums = x!.dtype === 'f32' ? new Float64Array(to.length) : to;
    sums.set(read(x!));
    const { inner } = aroundAxis(x!.shape, axis);
    eachIndexed(x!.shape, index!.shape, src!.shape, axis, (inX, i, s) => {
      sums[inX + picks[i]! * inner]! += from[s]!;
    });
    if (sums !== to) to.set(sums);
  };
}

function embedding(read: Read): Kernel<'embedding'> {
  return ([table, ids], [out]) => {
    const rows = read(table!);
    const picks = read(ids!);
    checkIndices('embedding', picks, table!.shape[0]!);
    const to = read(out!);
    const row = sizeOf(table!.shape.slice(1));
    for (let i = 0; i < picks.length; i++) {
      const start = picks[i]! * row;
      to.set(rows.subarray(start, start + row), i * row);
    }
  };
}

/** Positions of each id in ascending order: `order[starts[r] .. starts[r + 1])` (counting sort). */
function groupByRow(
  ids: TypedArray,
  rows: number,
): { readonly starts: Int32Array; readonly order: Int32Array } {
  const starts = new Int32Array(rows + 1);
  for (let i = 0; i < ids.length; i++) starts[ids[i]! + 1]!++;
  for (let r = 0; r < rows; r++) starts[r + 1]! += starts[r]!;
  const next = starts.slice();
  const order = new Int32Array(ids.length);
  for (let i = 0; i < ids.length; i++) order[next[ids[i]!]!++] = i;
  return { starts, order };
}

function embeddingGrad(read: Read): Kernel<'embeddingGrad'> {
  return ([ids, dy], [out], { rows }) => {
    const picks = read(ids!);
    checkIndices('embeddingGrad', picks, rows);
    const from = read(dy!);
    const to = read(out!);
    const row = sizeOf(out!.shape.slice(1));
    const { starts, order } = groupByRow(picks, rows);
    const sums = new Float64Array(row);
    to.fill(0);
    for (let r = 0; r < rows; r++) {
      if (starts[r] === starts[r + 1]) continue;
      sums.fill(0);
      for (let o = starts[r]!; o < starts[r + 1]!; o++) {
        const start = order[o]! * row;
        for (let j = 0; j < row; j++) sums[j]! += from[start + j]!;
      }
      to.set(sums, r * row);
    }
  };
}

function updateSlice(read: Read): Kernel<'updateSlice'> {
  return ([x, update, start], [out], { axis }) => {
    const { outer, length, inner } = aroundAxis(x!.shape, axis);
    const size = update!.shape[axis]!;
    const at = read(start!)[0]!;
    if (at < 0 || at + size > length) {
      throw new ValueError(
        'updateSlice',
        `start ${at} with ${size} elements is outside axis ${axis} of size ${length}: ` +
          `start may be 0 to ${length - size}`,
      );
    }
    const from = read(x!);
    const patch = read(update!);
    const to = read(out!);
    // x may be donated: then it stands there already.
    const inPlace = from.buffer === to.buffer && from.byteOffset === to.byteOffset;
    if (!inPlace) to.set(from);
    const run = size * inner;
    for (let o = 0; o < outer; o++) {
      to.set(patch.subarray(o * run, (o + 1) * run), (o * length + at) * inner);
    }
  };
}

/** Kernels of `where` and of the ops that take indices. */
export function indexingKernels(read: Read): Pick<Kernels, IndexName> {
  return {
    where: where(read),
    gather: gather(read),
    scatterAdd: scatterAdd(read),
    embedding: embedding(read),
    embeddingGrad: embeddingGrad(read),
    updateSlice: updateSlice(read),
  };
}
