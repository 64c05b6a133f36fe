/** Batched matrix product: one strided kernel for every transposition. */
import type { Kernel, Kernels } from '@loretta-ts/core';
import { broadcastStrides, coalesce } from '../layout';
import { type Context, exactFor, launch } from '../launch';
import { product } from './product';
import {
  coordinates,
  divide,
  dotStrides,
  type KernelSource,
  maxElements,
  notExact,
  sizeNames,
  strideNames,
} from '../source';

/** Four sums at a time: shorter chains of roundings, fewer turns of the loop. */
function matmulSource(rank: number, integers: boolean): KernelSource {
  const watch = integers
    ? `if (Math.abs(s0) >= ${maxElements} || Math.abs(s1) >= ${maxElements} || Math.abs(s2) >= ${maxElements} || Math.abs(s3) >= ${maxElements}) { lost = 1; }`
    : '';
  return {
    name: `matmul${integers ? '.i32' : ''}/${rank}`,
    arrays: ['a', 'b'],
    ints: [
      ...sizeNames(rank),
      'oa',
      'ob',
      ...strideNames('a', rank),
      ...strideNames('b', rank),
      'm',
      'n',
      'fours',
      'rest',
      'am',
      'ak',
      'bk',
      'bn',
    ],
    floats: [],
    body: `${divide('row', 'column', 'this.thread.x', 'n')}${divide('batch', 'line', 'row', 'm')}
${coordinates('batch', rank)}
const pa = oa + ${dotStrides('a', rank)} + line * am;
const pb = ob + ${dotStrides('b', rank)} + column * bn;
let s0 = 0.0;
let s1 = 0.0;
let s2 = 0.0;
let s3 = 0.0;
let lost = 0;
for (let i = 0; i < fours; i++) {
  const ka = pa + 4 * i * ak;
  const kb = pb + 4 * i * bk;
  s0 += a[ka] * b[kb];
  s1 += a[ka + ak] * b[kb + bk];
  s2 += a[ka + 2 * ak] * b[kb + 2 * bk];
  s3 += a[ka + 3 * ak] * b[kb + 3 * bk];
  ${watch}
}
for (let j = 0; j < rest; j++) {
  s0 += a[pa + (4 * fours + j) * ak] * b[pb + (4 * fours + j) * bk];
  ${watch}
}
${integers ? `if (lost > 0) { return ${notExact}; }` : ''}
return (s0 + s1) + (s2 + s3);`,
  };
}

function matmul(context: Context): Kernel<'matmul'> {
  return ([a, b], [out], { transA, transB }) => {
    const rank = out!.shape.length;
    const batch = out!.shape.slice(0, -2);
    const m = out!.shape[rank - 2]!;
    const n = out!.shape[rank - 1]!;
    const k = a!.shape[a!.shape.length - (transA ? 2 : 1)]!;
    const walk = coalesce(batch, [
      broadcastStrides(a!.shape.slice(0, -2), batch).map((s) => s * m * k),
      broadcastStrides(b!.shape.slice(0, -2), batch).map((s) => s * k * n),
    ]);
    if (a!.dtype !== 'i32' && m * n * k > 0 && out!.size > 0) {
      const [sa, sb] = walk.strides as [readonly number[], readonly number[]];
      const sizes = { batch: walk.shape, m, n, k };
      const left = { array: a!, batch: sa, row: transA ? 1 : k, column: transA ? m : 1 };
      const right = { array: b!, batch: sb, row: transB ? 1 : n, column: transB ? k : 1 };
      context.memory.store(out!, product(context, left, right, sizes));
      return;
    }
    launch(context, matmulSource(walk.shape.length, a!.dtype === 'i32'), [a!, b!], out!, {
      ints: [
        ...walk.shape.slice(1),
        a!.offset,
        b!.offset,
        ...walk.strides.flat(),
        m,
        n,
        Math.floor(k / 4),
        k % 4,
        ...(transA ? [1, m] : [k, 1]),
        ...(transB ? [1, k] : [n, 1]),
      ],
      ...exactFor('matmul', out!),
    });
  };
}

/** Kernel of `matmul`. */
export function matmulKernels(context: Context): Pick<Kernels, 'matmul'> {
  return { matmul: matmul(context) };
}
