import type { DType } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { threefry2x32 } from '../src/reference/threefry';
import { at, bool, f32, f64, i32, indices, law, run, shapes, tensors } from './reference-harness';

const dtypes = fc.constantFrom<DType>('f32', 'f64', 'i32', 'bool');
const anyTensor = (shape = shapes()) => dtypes.chain((dtype) => tensors(dtype, shape));

describe('cast', () => {
  it('float to i32 truncates, saturates, and takes NaN to 0', () => {
    const x = f64([6], [1.9, -1.9, Number.NaN, Infinity, -3e9, 0.5]);
    expect(run('cast', [x], [{ shape: [6], dtype: 'i32' }], { dtype: 'i32' })[0]).toEqual([
      1, -1, 0, 2147483647, -2147483648, 0,
    ]);
  });

  it('anything to bool is != 0', () => {
    const x = f32([5], [0, -0, Number.NaN, 1e-45, -2]);
    expect(run('cast', [x], [{ shape: [5], dtype: 'bool' }], { dtype: 'bool' })[0]).toEqual([
      0, 0, 1, 1, 1,
    ]);
    const n = i32([3], [0, 256, -1]);
    expect(run('cast', [n], [{ shape: [3], dtype: 'bool' }], { dtype: 'bool' })[0]).toEqual([
      0, 1, 1,
    ]);
  });

  it('to floats rounds once', () => {
    const x = i32([2], [16777217, -3]);
    expect(run('cast', [x], [{ shape: [2], dtype: 'f32' }], { dtype: 'f32' })[0]).toEqual([
      16777216, -3,
    ]);
    expect(run('cast', [x], [{ shape: [2], dtype: 'f64' }], { dtype: 'f64' })[0]).toEqual([
      16777217, -3,
    ]);
    expect(run('cast', [f64([1], [0.1])], [f32([1], [0])], { dtype: 'f32' })[0]).toEqual([
      Math.fround(0.1),
    ]);
    expect(run('cast', [bool([2], [0, 1])], [f32([2], [0, 0])], { dtype: 'f32' })[0]).toEqual([
      0, 1,
    ]);
  });
});

describe('movement', () => {
  it('permute', () => {
    const cases = anyTensor().chain((x) =>
      fc.tuple(
        fc.constant(x),
        fc.shuffledSubarray([...x.shape.keys()], { minLength: x.shape.length }),
      ),
    );
    fc.assert(
      fc.property(cases, ([x, axes]) => {
        const shape = axes.map((a) => x.shape[a]!);
        const [got] = run('permute', [x], [{ shape, dtype: x.dtype }], { axes });
        const want = indices(shape).map((i) =>
          at(
            x,
            axes.map((_, a) => i[axes.indexOf(a)]!),
          ),
        );
        expect(got).toEqual(want);
      }),
      law(),
    );
  });

  it('slice with steps of both signs', () => {
    const one = (d: number) =>
      fc
        .record({
          start: fc.integer({ min: 0, max: Math.max(d - 1, 0) }),
          step: fc.integer({ min: -3, max: 3 }).filter((s) => s !== 0),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
        })
        .map(({ start, step, share }) => {
          const room =
            d === 0 ? 0 : 1 + Math.floor((step > 0 ? d - 1 - start : start) / Math.abs(step));
          return { start, step, size: Math.round(share * room) };
        });
    const cases = anyTensor().chain((x) => fc.tuple(fc.constant(x), fc.tuple(...x.shape.map(one))));
    fc.assert(
      fc.property(cases, ([x, cuts]) => {
        const sizes = cuts.map((c) => c.size);
        const [got] = run('slice', [x], [{ shape: sizes, dtype: x.dtype }], {
          starts: cuts.map((c) => c.start),
          sizes,
          steps: cuts.map((c) => c.step),
        });
        const want = indices(sizes).map((i) =>
          at(
            x,
            i.map((v, a) => cuts[a]!.start + v * cuts[a]!.step),
          ),
        );
        expect(got).toEqual(want);
      }),
      law(200),
    );
  });

  it('pad', () => {
    const cases = anyTensor(shapes(3)).chain((x) => {
      const margin = fc.array(fc.integer({ min: 0, max: 2 }), {
        minLength: x.shape.length,
        maxLength: x.shape.length,
      });
      return fc.tuple(fc.constant(x), margin, margin, fc.integer({ min: -2, max: 2 }));
    });
    fc.assert(
      fc.property(cases, ([x, before, after, value]) => {
        const shape = x.shape.map((d, i) => before[i]! + d + after[i]!);
        const [got] = run('pad', [x], [{ shape, dtype: x.dtype }], { before, after, value });
        const filler = x.dtype === 'bool' ? Number(value !== 0) : value;
        const want = indices(shape).map((i) => {
          const inner = i.map((v, a) => v - before[a]!);
          return inner.every((v, a) => v >= 0 && v < x.shape[a]!) ? at(x, inner) : filler;
        });
        expect(got).toEqual(want);
      }),
      law(),
    );
  });

  it('concat', () => {
    const cases = dtypes.chain((dtype) =>
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }).chain((shape) =>
        fc.integer({ min: 0, max: shape.length - 1 }).chain((axis) =>
          fc.tuple(
            fc.constant(axis),
            fc.array(
              fc
                .integer({ min: 0, max: 3 })
                .chain((d) =>
                  tensors(dtype, fc.constant(shape.map((s, i) => (i === axis ? d : s)))),
                ),
              { minLength: 1, maxLength: 4 },
            ),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(cases, ([axis, parts]) => {
        const total = parts.reduce((n, p) => n + p.shape[axis]!, 0);
        const shape = parts[0]!.shape.map((d, i) => (i === axis ? total : d));
        const [got] = run('concat', parts, [{ shape, dtype: parts[0]!.dtype }], { axis });
        const owner = parts.flatMap((p) =>
          Array.from({ length: p.shape[axis]! }, (_, i) => ({ p, i })),
        );
        const want = indices(shape).map((index) => {
          const { p, i } = owner[index[axis]!]!;
          return at(
            p,
            index.map((v, a) => (a === axis ? i : v)),
          );
        });
        expect(got).toEqual(want);
      }),
      law(),
    );
  });

  it('broadcastTo', () => {
    const cases = shapes().chain((shape) =>
      fc
        .tuple(fc.integer({ min: 0, max: shape.length }), fc.subarray([...shape.keys()]))
        .chain(([drop, ones]) =>
          fc.tuple(
            fc.constant(shape),
            anyTensor(fc.constant(shape.map((d, i) => (ones.includes(i) ? 1 : d)).slice(drop))),
          ),
        ),
    );
    fc.assert(
      fc.property(cases, ([shape, x]) => {
        const [got] = run('broadcastTo', [x], [{ shape, dtype: x.dtype }], { shape });
        expect(got).toEqual(indices(shape).map((i) => at(x, i)));
      }),
      law(),
    );
  });

  it('flip', () => {
    const cases = anyTensor().chain((x) =>
      fc.tuple(fc.constant(x), fc.subarray([...x.shape.keys()])),
    );
    fc.assert(
      fc.property(cases, ([x, axes]) => {
        const [got] = run('flip', [x], [x], { axes });
        const want = indices(x.shape).map((i) =>
          at(
            x,
            i.map((v, a) => (axes.includes(a) ? x.shape[a]! - 1 - v : v)),
          ),
        );
        expect(got).toEqual(want);
      }),
      law(),
    );
  });

  it('moves NaN and signed zeros untouched', () => {
    const x = f64([3], [-0, Number.NaN, 5e-324]);
    expect(run('flip', [x], [x], { axes: [0] })[0]).toEqual([5e-324, Number.NaN, -0]);
  });
});

describe('creation', () => {
  it('fill', () => {
    const fill = (dtype: DType, value: number) =>
      run('fill', [], [{ shape: [2], dtype }], { shape: [2], dtype, value })[0];
    expect(fill('f32', 0.1)).toEqual([Math.fround(0.1), Math.fround(0.1)]);
    expect(fill('f64', -0)).toEqual([-0, -0]);
    expect(fill('i32', -7)).toEqual([-7, -7]);
    expect(fill('bool', 256)).toEqual([1, 1]);
  });

  it('iota does not accumulate error', () => {
    const attrs = { size: 1001, dtype: 'f64' as const, start: 1, step: 0.1 };
    const [got] = run('iota', [], [{ shape: [1001], dtype: 'f64' }], attrs);
    expect(got![1000]).toBe(1 + 1000 * 0.1);
    const down = { size: 4, dtype: 'i32' as const, start: 3, step: -2 };
    expect(run('iota', [], [{ shape: [4], dtype: 'i32' }], down)[0]).toEqual([3, 1, -1, -3]);
  });

  it('randomBits counts through Threefry', () => {
    const bits = (n: number, stream: number) =>
      run('randomBits', [i32([2], [0, 0])], [{ shape: [n], dtype: 'i32' }], {
        shape: [n],
        stream,
      })[0]!;
    expect(bits(2, 0)).toEqual([0x6b200159, 0x99ba4efe | 0]);
    const words = new Int32Array(6);
    for (let c = 0; c < 3; c++) threefry2x32(0, 0, c, 7, words, 2 * c);
    expect(bits(6, 7)).toEqual(Array.from(words));
    // Element i depends on i alone, whatever the length; streams differ.
    expect(bits(5, 3)).toEqual(bits(64, 3).slice(0, 5));
    expect(bits(4, 1)).not.toEqual(bits(4, 2));
    expect(bits(0, 0)).toEqual([]);
  });

  it('randomBits are balanced in every position', () => {
    const n = 1 << 14;
    const [got] = run('randomBits', [i32([2], [5, -9])], [{ shape: [n], dtype: 'i32' }], {
      shape: [n],
      stream: 0,
    });
    for (let bit = 0; bit < 32; bit++) {
      const ones = got!.reduce((s, w) => s + ((w >>> bit) & 1), 0);
      // Six standard deviations.
      expect(Math.abs(ones - n / 2)).toBeLessThan(6 * Math.sqrt(n / 4));
    }
  });
});
