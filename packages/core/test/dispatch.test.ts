/** The one dispatch: memory and its refusals, which kernel runs, what is recorded, what donation takes over. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  adamw,
  type Backend,
  BackendError,
  capture,
  CaptureError,
  DTypeError,
  exp,
  full,
  getBackend,
  noGrad,
  reshape,
  setBackend,
  type Shape,
  ShapeError,
  softmax,
  sum,
  type Tensor,
  tensor,
  updateSlice,
  valueAndGrad,
  zeros,
} from '../src';
import { apply } from '../src/apply';
import { addOp } from '../src/ops/arithmetic';
import { instead } from '../src/testing';
import { caught } from './refusal';

let backend: Backend;
const live = (): number => backend.memory().buffers;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

describe('memory', () => {
  const refusing = (error: Error): Backend =>
    instead(backend, {
      alloc: () => {
        throw error;
      },
    });

  it('that is out is told with the op, the array and its bytes', () => {
    setBackend(refusing(new BackendError('reference', 'alloc: nothing left')));
    const shape: Shape = [2, 3];
    const wanted = { op: 'fill', shape, bytes: 24 };
    const error = caught(() => zeros(shape));
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ backend: 'reference', wanted });
    expect((error as Error).message).toBe('reference: fill: f32[2,3]: nothing left');
    expect(caught(() => zeros(shape, { dtype: 'bool' }))).toMatchObject({ wanted: { bytes: 6 } });
    expect(caught(() => zeros(shape, { dtype: 'f64' }))).toMatchObject({ wanted: { bytes: 48 } });
  });

  it('that fails for another reason is told as it is', () => {
    const reason = new RangeError('broken');
    setBackend(refusing(reason));
    expect(caught(() => zeros([2]))).toBe(reason);
  });

  it('is not asked for a dtype that the backend does not have', () => {
    setBackend(instead(backend, { dtypes: ['f32', 'i32', 'bool'] }));
    const error = caught(() => zeros([2], { dtype: 'f64' }));
    expect(error).toBeInstanceOf(DTypeError);
    expect(error).toMatchObject({ op: 'alloc', dtypes: ['f64'] });
    expect(live()).toBe(0);
    expect(zeros([2]).toArraySync()).toEqual([0, 0]);
  });

  it('holds 2^31 - 1 elements and not one more', () => {
    setBackend(
      instead(backend, {
        alloc: (_, dtype) => backend.alloc(0, dtype),
        kernels: { ...backend.kernels, fill: () => undefined },
      }),
    );
    expect(zeros([2 ** 31 - 1]).size).toBe(2 ** 31 - 1);
    const error = caught(() => zeros([2 ** 31]));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error).toMatchObject({ op: 'fill', shapes: [[2 ** 31]] });
  });
});

describe('kernels', () => {
  /** softmax by a kernel that gives sevens. */
  const sevens = (fusedDTypes: Backend['fusedDTypes']): Backend =>
    instead(backend, {
      fusedDTypes,
      kernels: {
        ...backend.kernels,
        softmax: (_, [out]) =>
          backend.write(out!.buffer, out!.offset, new Float32Array(out!.size).fill(7)),
      },
    });

  it('of fused ops run for the dtypes that the backend names', () => {
    setBackend(sevens(['f32']));
    expect(softmax(tensor([2, 2])).toArraySync()).toEqual([7, 7]);
    expect(softmax(tensor([2, 2], { dtype: 'f64' })).toArraySync()).toEqual([0.5, 0.5]);
    setBackend(sevens([]));
    expect(softmax(tensor([2, 2])).toArraySync()).toEqual([0.5, 0.5]);
  });

  it('of fused ops may be absent', () => {
    setBackend(instead(backend, { fusedDTypes: ['f32'] }));
    expect(softmax(tensor([2, 2])).toArraySync()).toEqual([0.5, 0.5]);
  });

  it('of core ops may not: a missing one is named, and nothing is left', () => {
    const { exp: _, ...rest } = backend.kernels;
    setBackend(instead(backend, { kernels: rest as Backend['kernels'] }));
    const x = tensor([1, 2]);
    const before = live();
    const error = caught(() => exp(x));
    expect(error).toBeInstanceOf(BackendError);
    expect((error as Error).message).toMatch(/exp: this backend has no kernel for it/);
    expect(live()).toBe(before);
  });
});

describe('recording', () => {
  it('keeps of a decomposed op what its own rule saves, and no part of it', () => {
    const x = tensor([1, 2, 3]);
    const kept = (run: () => Tensor): number => {
      let n = 0;
      const { value, grads } = valueAndGrad([x], () => {
        const before = live();
        const y = run();
        n = live() - before;
        return sum(y.mul(y));
      });
      value.dispose();
      grads.dispose();
      return n;
    };
    expect(kept(() => softmax(x))).toBe(1);
    expect(kept(() => noGrad(() => softmax(x)))).toBe(1);
  });

  it('ends at ops without a gradient: what they give may be donated', () => {
    const x = tensor([-1, 2, 3]);
    const { grads } = valueAndGrad([x], () => {
      const mask = x.gt(0).cast('f32');
      return sum(x.mul(updateSlice(mask, tensor([5]), 0, 0, { donate: true })));
    });
    expect(grads.get(x).toArraySync()).toEqual([5, 1, 1]);
  });
});

describe('donation', () => {
  let allocations: number;
  beforeEach(() => {
    allocations = 0;
    setBackend(
      instead(backend, {
        alloc: (size, dtype) => {
          allocations++;
          return backend.alloc(size, dtype);
        },
      }),
    );
  });

  /** `x` donated to an op that writes 9 to its first element: the result, and how many arrays it took. */
  function write(x: Tensor): readonly [y: Tensor, taken: number] {
    const [nine, start] = [tensor([9]), full([], 0, { dtype: 'i32' })];
    const before = allocations;
    const y = updateSlice(x, nine, start, 0, { donate: true });
    const taken = allocations - before;
    expect(x.disposed).toBe(true);
    nine.dispose();
    start.dispose();
    return [y, taken];
  }

  it('takes memory over that nobody else sees', () => {
    const [y, taken] = write(tensor([1, 2, 3]));
    expect(taken).toBe(0);
    expect(y.toArraySync()).toEqual([9, 2, 3]);
    expect(live()).toBe(1);
  });

  it('copies what somebody else sees', () => {
    const x = tensor([1, 2, 3]);
    const other = x.reshape(3, 1);
    const [y, taken] = write(x);
    expect(taken).toBe(1);
    expect([y.toArraySync(), other.toArraySync()]).toEqual([
      [9, 2, 3],
      [[1], [2], [3]],
    ]);
  });

  it.each([0, 1])('copies part %i of an array, whose memory is freed', (row) => {
    const all = tensor([1, 2, 3, 4], { shape: [2, 2] });
    const x = all.select(0, row);
    all.dispose();
    const [y, taken] = write(x);
    expect(taken).toBe(1);
    expect(y.toArraySync()).toEqual([9, 2 * row + 2]);
    expect(backend.memory()).toMatchObject({ buffers: 1, bytes: 8 });
  });

  it('gives each output the memory of the input that the op names for it', () => {
    const idle: Partial<Backend> = {
      fusedDTypes: ['f32'],
      kernels: { ...backend.kernels, adamw: () => undefined },
    };
    setBackend(instead(getBackend(), idle));
    const [p, g, m, v, hyper] = [1, 2, 3, 4].map((x) => tensor([x])).concat(zeros([5]));
    const before = allocations;
    const options = { beta1: 0.9, beta2: 0.9, eps: 1e-8, donate: true };
    const outs = adamw(p!, g!, m!, v!, hyper!, options);
    expect(allocations).toBe(before);
    // nothing was written
    expect(outs.map((t) => t.toArraySync())).toEqual([[1], [3], [4]]);
    expect([p, g, m, v].map((t) => t!.disposed)).toEqual([true, false, true, true]);
  });

  it('leaves inputs alone that the op does not take over', () => {
    const [a, b] = [tensor([1, 2]), tensor([10, 20])];
    const [c] = apply(addOp, [a, b], {}, true);
    expect([a, b, c!].map((t) => t.toArraySync())).toEqual([
      [1, 2],
      [10, 20],
      [11, 22],
    ]);
  });
});

it('a tensor of a capture that is over is refused, by views too', () => {
  const left: Tensor[] = [];
  using captured = capture((x) => {
    left.push(exp(x!).keep());
    return x!.mul(2);
  });
  captured.call(tensor([1, 2]));
  const before = live();
  for (const use of [exp, (t: Tensor) => reshape(t, [2, 1])]) {
    const error = caught(() => use(left[0]!));
    expect(error).toBeInstanceOf(CaptureError);
    expect((error as Error).message).toMatch(/f32\[2\] belongs to a capture that is over/);
  }
  expect(() => left[0]!.view()).toThrow(CaptureError);
  expect(live()).toBe(before);
});
