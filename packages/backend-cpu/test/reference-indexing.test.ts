import { broadcastShapes, sizeOf, ValueError } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  at,
  backend,
  bool,
  broadcastable,
  download,
  f32,
  f64,
  i32,
  indices,
  law,
  run,
  tensors,
  upload,
} from './reference-harness';

describe('where', () => {
  it('broadcasts three operands', () => {
    const cases = broadcastable(3).chain(([c, a, b]) =>
      fc.tuple(
        tensors('bool', fc.constant(c!)),
        tensors('f64', fc.constant(a!)),
        tensors('f64', fc.constant(b!)),
      ),
    );
    fc.assert(
      fc.property(cases, ([c, a, b]) => {
        const shape = broadcastShapes(c.shape, broadcastShapes(a.shape, b.shape)!)!;
        const [got] = run('where', [c, a, b], [{ shape, dtype: 'f64' }], {});
        expect(got).toEqual(indices(shape).map((i) => (at(c, i) ? at(a, i) : at(b, i))));
      }),
      law(),
    );
  });

  it('lets nothing through from the side that is not chosen', () => {
    const [got] = run(
      'where',
      [bool([2], [1, 1]), f64([], [-0]), f64([], [Number.NaN])],
      [f64([2], [9, 9])],
      {},
    );
    expect(got).toEqual([-0, -0]);
  });
});

/** x, an index no larger than x off the axis, and a source of the index's shape. */
const indexed = (dtype: 'f64' | 'i32') =>
  fc
    .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 })
    .chain((shape) => fc.tuple(fc.constant(shape), fc.integer({ min: 0, max: shape.length - 1 })))
    .chain(([shape, axis]) =>
      fc
        .tuple(
          ...shape.map((d, i) =>
            i === axis ? fc.integer({ min: 0, max: 6 }) : fc.integer({ min: 0, max: d }),
          ),
        )
        .chain((indexShape) =>
          fc.record({
            axis: fc.constant(axis),
            x: tensors(dtype, fc.constant(shape)),
            index: tensors(
              'i32',
              fc.constant(indexShape),
              fc.integer({ min: 0, max: shape[axis]! - 1 }),
            ),
            src: tensors(dtype, fc.constant(indexShape)),
          }),
        ),
    );

describe('gather and scatterAdd', () => {
  it('gather reads x[index[i][j]][j]', () => {
    fc.assert(
      fc.property(indexed('f64'), ({ axis, x, index }) => {
        const [got] = run('gather', [x, index], [{ shape: index.shape, dtype: 'f64' }], { axis });
        const want = indices(index.shape).map((i) =>
          at(
            x,
            i.map((v, a) => (a === axis ? at(index, i) : v)),
          ),
        );
        expect(got).toEqual(want);
      }),
      law(200),
    );
  });

  it.each(['f64', 'i32'] as const)('scatterAdd adds in row-major order, %s', (dtype) => {
    fc.assert(
      fc.property(indexed(dtype), ({ axis, x, index, src }) => {
        const [got] = run('scatterAdd', [x, index, src], [x], { axis });
        const want = Array.from(x.data);
        const place = new Map(indices(x.shape).map((i, o) => [i.join(), o]));
        for (const i of indices(index.shape)) {
          const target = i.map((v, a) => (a === axis ? at(index, i) : v));
          want[place.get(target.join())!]! += at(src, i);
        }
        expect(got).toEqual(want);
      }),
      law(200),
    );
  });

  it('f32 repeats add up in double', () => {
    const n = 1000;
    const src = f32([n], new Array(n).fill(0.1));
    const [got] = run(
      'scatterAdd',
      [f32([1], [1]), i32([n], new Array(n).fill(0)), src],
      [f32([1], [0])],
      {
        axis: 0,
      },
    );
    let sum = 1;
    for (const v of src.data) sum += v;
    expect(got).toEqual([Math.fround(sum)]);
  });
});

describe('embedding', () => {
  const cases = fc
    .tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 }),
    )
    .chain(([rows, row, idShape]) =>
      fc.record({
        table: tensors('f64', fc.constant([rows, ...row])),
        ids: tensors('i32', fc.constant(idShape), fc.integer({ min: 0, max: rows - 1 })),
        dy: tensors('f64', fc.constant([...idShape, ...row])),
      }),
    );

  it('copies rows; its gradient sums them back', () => {
    fc.assert(
      fc.property(cases, ({ table, ids, dy }) => {
        const row = table.shape.slice(1);
        const shape = [...ids.shape, ...row];
        const [got] = run('embedding', [table, ids], [{ shape, dtype: 'f64' }], {});
        const want = Array.from(ids.data).flatMap((id) =>
          indices(row).map((j) => at(table, [id, ...j])),
        );
        expect(got).toEqual(want);

        const attrs = { rows: table.shape[0]! };
        const [grad] = run(
          'embeddingGrad',
          [ids, dy],
          [{ shape: table.shape, dtype: 'f64' }],
          attrs,
        );
        const width = sizeOf(row);
        const sums = new Array<number>(table.data.length).fill(0);
        for (const [n, id] of ids.data.entries()) {
          for (let j = 0; j < width; j++) sums[id * width + j]! += dy.data[n * width + j]!;
        }
        expect(grad).toEqual(sums);
      }),
      law(200),
    );
  });
});

describe('updateSlice', () => {
  const x = f64([2, 4, 2], [...Array(16).keys()]);
  const update = f64(
    [2, 2, 2],
    [...Array(8).keys()].map((v) => -1 - v),
  );
  const updated = [0, 1, -1, -2, -3, -4, 6, 7, 8, 9, -5, -6, -7, -8, 14, 15];

  it('writes at the start', () => {
    const [got] = run('updateSlice', [x, update, i32([], [1])], [x], { axis: 1 });
    expect(got).toEqual(updated);
  });

  it('works in place when x is donated', () => {
    const [vx, vu, vs] = [upload(x), upload(update), upload(i32([], [1]))];
    backend.kernels.updateSlice([vx, vu, vs], [vx], { axis: 1 });
    expect(Array.from(download(vx))).toEqual(updated);
    for (const v of [vx, vu, vs]) backend.free(v.buffer);
  });

  it('takes updates of every size that fits', () => {
    const whole = f64([2], [8, 9]);
    expect(
      run('updateSlice', [f64([2], [1, 2]), whole, i32([], [0])], [whole], { axis: 0 })[0],
    ).toEqual([8, 9]);
    const none = f64([0], []);
    expect(run('updateSlice', [whole, none, i32([], [2])], [whole], { axis: 0 })[0]).toEqual([
      8, 9,
    ]);
  });
});

describe('indices out of range', () => {
  const out = f64([2, 2], [7, 7, 7, 7]);
  const x = f64([2, 2], [1, 2, 3, 4]);
  const bad = (v: number) => i32([2, 2], [0, 1, v, 0]);

  /** The kernel throws a ValueError that names op, index and range, and has written nothing. */
  function expectRefusal(
    op: 'gather' | 'scatterAdd' | 'embedding' | 'embeddingGrad' | 'updateSlice',
    ins: readonly ReturnType<typeof f64>[],
    attrs: Readonly<Record<string, number>>,
    message: RegExp,
  ): void {
    const from = ins.map(upload);
    const to = upload(out);
    const kernel = backend.kernels[op] as (
      ins: unknown,
      outs: unknown,
      attrs: Readonly<Record<string, number>>,
    ) => void;
    const call = () => kernel(from, [to], attrs);
    expect(call).toThrow(ValueError);
    expect(call).toThrow(expect.objectContaining({ op }));
    expect(call).toThrow(message);
    expect(Array.from(download(to))).toEqual([7, 7, 7, 7]);
    for (const v of [...from, to]) backend.free(v.buffer);
  }

  it.each([-1, 2, 2147483647])('%d', (v) => {
    const message = new RegExp(`index ${v} .*\\[0, 2\\)`);
    expectRefusal('gather', [x, bad(v)], { axis: 0 }, message);
    expectRefusal('scatterAdd', [x, bad(v), x], { axis: 1 }, message);
    expectRefusal('embedding', [f64([2], [1, 2]), bad(v)], {}, message);
    expectRefusal(
      'embeddingGrad',
      [bad(v), f64([2, 2, 2], new Array(8).fill(1))],
      { rows: 2 },
      message,
    );
  });

  it.each([-1, 2])('updateSlice from %d', (start) => {
    const ins = [x, f64([1, 2], [0, 0]), i32([], [start])];
    expectRefusal('updateSlice', ins, { axis: 0 }, /start may be 0 to 1/);
  });
});
