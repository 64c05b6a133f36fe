/** Host values into tensors and back: what is read, what is refused, and single elements. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  capture,
  CaptureError,
  concat,
  DTypeError,
  setBackend,
  ShapeError,
  sum,
  tensor,
  type TensorData,
  ValueError,
} from '../src';
import { instead } from '../src/testing';
import { caught } from './refusal';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

describe('tensor', () => {
  it('reads booleans, alone and nested', () => {
    expect(tensor(true).toArraySync()).toBe(1);
    const x = tensor([
      [true, false],
      [false, 3],
    ]);
    expect([x.dtype, x.toArraySync()]).toEqual([
      'f32',
      [
        [1, 0],
        [0, 3],
      ],
    ]);
  });

  it('takes shape and dtype of the data', () => {
    expect([tensor([]), tensor([[], []]), tensor(5)].map((t) => t.shape)).toEqual([
      [0],
      [2, 0],
      [],
    ]);
    const typed = [Float32Array, Float64Array, Int32Array, Uint8Array].map((T) => T.of(1, 2));
    expect(typed.map((data) => tensor(data).dtype)).toEqual(['f32', 'f64', 'i32', 'f32']);
    for (const data of typed) expect(tensor(data).toArraySync()).toEqual([1, 2]);
  });

  it('copies a typed array: writing to it later changes nothing', () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data);
    data[0] = 9;
    expect(x.toArraySync()).toEqual([1, 2]);
  });

  it.each([
    ['a text', 'text', 'string'],
    ['a bigint', 1n, 'bigint'],
    ['an object', {}, 'object'],
    ['nothing', undefined, 'undefined'],
  ])('refuses %s, alone and nested', (_, value, name) => {
    for (const data of [value, [value]]) {
      const error = caught(() => tensor(data as TensorData));
      expect(error).toBeInstanceOf(DTypeError);
      expect(error).toMatchObject({ op: 'tensor', dtypes: [] });
      expect((error as Error).message).toContain(`cannot read a ${name}`);
    }
  });

  it.each<[TensorData, number[][]]>([
    [
      [[1, 2], [3]],
      [[1], [2]],
    ],
    [
      [[1], 2],
      [[], [1]],
    ],
    [
      [1, [2]],
      [[1], []],
    ],
    [
      [[[1]], [2]],
      [[1], [1, 1]],
    ],
  ])('refuses %j, which is ragged, with the two shapes', (data, shapes) => {
    const error = caught(() => tensor(data));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error).toMatchObject({ op: 'tensor', shapes });
  });

  it('refuses a shape of another size, and names it', () => {
    const error = caught(() => tensor([1, 2, 3], { shape: [2, 2] }));
    expect(error).toMatchObject({ name: 'ShapeError', shapes: [[2, 2]] });
  });

  it('holds as i32 what fits 32 bits, and refuses the rest', () => {
    const [least, most] = [-(2 ** 31), 2 ** 31 - 1];
    const x = tensor([least, most], { dtype: 'i32' });
    expect(x.toArraySync()).toEqual([least, most]);
    for (const bad of [least - 1, most + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => tensor([0, bad], { dtype: 'i32' })).toThrow(ValueError);
    }
    expect(backend.memory().buffers).toBe(1);
  });

  it('holds as bool 1 for whatever is not 0, of every kind of array', () => {
    const values = [0, 2, 1, 255, 0, 128];
    const want = values.map((v) => (v === 0 ? 0 : 1));
    const kinds = [values, Uint8Array, Int32Array, Float32Array, Float64Array].map((kind) =>
      Array.isArray(kind) ? kind : kind.from(values),
    );
    for (const data of kinds) {
      const x = tensor(data, { dtype: 'bool' });
      expect(x.toArraySync()).toEqual(want);
      expect(sum(x.cast('f32')).itemSync()).toBe(4);
    }
    const odd = tensor([0.5, -1, 256, Number.NaN, -0], { dtype: 'bool' });
    expect(odd.toArraySync()).toEqual([1, 1, 1, 1, 0]);
  });

  it('rounds to the dtype and gives back what that holds: a law', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { maxLength: 6 }), (values) => {
        expect(tensor(values, { dtype: 'f64' }).toArraySync()).toEqual(values);
        expect(tensor(values).toArraySync()).toEqual(values.map(Math.fround));
      }),
      { seed: 2, numRuns: 50 },
    );
  });
});

describe('errors', () => {
  it('without shapes or dtypes have none', () => {
    expect(caught(() => concat([]))).toMatchObject({ op: 'concat', shapes: [] });
    expect(new ShapeError('op', 'what').shapes).toEqual([]);
    expect(new DTypeError('op', 'what').dtypes).toEqual([]);
  });
});

describe('one element', () => {
  it('is given whatever the rank', async () => {
    for (const shape of [[], [1], [1, 1, 1]]) {
      const x = tensor([4], { shape });
      expect([await x.item(), x.itemSync()]).toEqual([4, 4]);
    }
  });

  it('is refused of a tensor that has more, or none', async () => {
    for (const x of [tensor([1, 2]), tensor([])]) {
      await expect(x.item()).rejects.toThrow(TypeError);
      expect(() => x.itemSync()).toThrow(`itemSync: f32[${x.size}] has ${x.size} elements`);
    }
  });
});

describe('reading', () => {
  it('inside of a capture is what is wrong, on any backend', () => {
    setBackend(instead(backend, { readSync: undefined } as unknown as Partial<Backend>));
    using captured = capture((x) => tensor(x!.dataSync()));
    expect(() => captured.call(tensor([1]))).toThrow(CaptureError);
    expect(() => captured.call(tensor([1]))).toThrow(/dataSync: f32\[1\] has no value/);
  });
});

describe('using', () => {
  it('gives the memory back at the end of the block', () => {
    {
      using x = tensor([1, 2]);
      expect(x.disposed).toBe(false);
      expect(backend.memory().buffers).toBe(1);
    }
    expect(backend.memory().buffers).toBe(0);
  });
});
