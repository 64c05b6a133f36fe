/**
 * Printing, nested arrays and iteration. `golden/print.json` is what NumPy 2.4 gives:
 * `np.array2string(a, separator=', ', prefix='tensor(', suffix=')')`, booleans in lower case; the values of a `ramp` are
 * `k / 2 - 100`, cut to integers for i32.
 */
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  capture,
  type DType,
  DisposedError,
  type NestedNumbers,
  scope,
  setBackend,
  ShapeError,
  sizeOf,
  tensor,
  tidy,
  withBackend,
  zeros,
} from '../src';

interface Golden {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly (number | string)[] | 'ramp';
  readonly text: string;
}

const golden = JSON.parse(
  readFileSync(new URL('./golden/print.json', import.meta.url), 'utf8'),
) as Golden[];

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const named: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

function valuesOf({ values, shape, dtype }: Golden): number[] {
  if (values !== 'ramp') return values.map((x) => (typeof x === 'string' ? named[x]! : x));
  const ramp = Array.from({ length: sizeOf(shape) }, (_, k) => k / 2 - 100);
  return dtype === 'i32' ? ramp.map(Math.trunc) : ramp;
}

/** A backend that counts the elements it is read. */
function counting(): { readonly backend: Backend; readonly count: () => number } {
  let count = 0;
  const proxy = new Proxy(backend, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (name === 'readSync') count += args[3] as number;
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return { backend: proxy, count: () => count };
}

describe('toString', () => {
  it.each(golden.map((g) => [`${g.dtype}[${g.shape.join()}] ${g.text.slice(0, 40)}`, g] as const))(
    'gives what NumPy gives: %s',
    (_, g) => {
      using x = tensor(valuesOf(g), { shape: g.shape, dtype: g.dtype });
      const text = x.toString();
      expect(text.slice('tensor('.length).startsWith(`${g.text},`)).toBe(true);
      const tail = sizeOf(g.shape) > 1000 ? `${g.dtype}[${g.shape.join()}]` : g.dtype;
      expect(text.slice('tensor('.length + g.text.length + 1).trimStart()).toBe(`${tail})`);
    },
  );

  it('names the dtype, and the shape where the values do not show it', () => {
    expect(
      `${tensor([
        [1, 2],
        [3, 4.5],
      ])}`,
    ).toBe('tensor([[1. , 2. ],\n        [3. , 4.5]], f32)');
    expect(String(tensor(7, { dtype: 'i32' }))).toBe('tensor(7, i32)');
    expect(String(tensor([], { shape: [0] }))).toBe('tensor([], f32[0])');
    expect(String(zeros([2, 0, 3], { dtype: 'bool' }))).toBe('tensor([], bool[2,0,3])');
    expect(String(zeros([2000]))).toBe('tensor([0., 0., 0., ..., 0., 0., 0.], f32[2000])');
  });

  it('fills a line of 75 characters with the dtype, and breaks it before one more', () => {
    const ints = (shape: number[], value: number): string =>
      String(tensor(new Int32Array(sizeOf(shape)).fill(value), { shape }));
    const full = ints([2, 10], 1000).split('\n');
    expect(full).toHaveLength(2);
    expect(full[1]).toHaveLength(75);
    expect(full[1]).toMatch(/1000\]\], i32\)$/);
    const broken = ints([2, 9], 10000).split('\n');
    expect(broken).toHaveLength(3);
    expect(`${broken[1]} ${broken[2]!.trimStart()}`).toHaveLength(78);
    expect(broken[2]).toBe('       i32)');
  });

  it('leaves no line empty where brackets alone fill it', () => {
    const x = tensor([-1.5, 2], { shape: [...new Array<number>(63).fill(1), 2] });
    const indent = ' '.repeat('tensor('.length);
    expect(String(x)).toBe(
      `tensor(${'['.repeat(64)}-1.5,\n${indent}${' '.repeat(64)} 2. ${']'.repeat(64)},\n${indent}f32)`,
    );
  });

  it('makes room for infinities beside short numbers', () => {
    expect(String(tensor([1, -Infinity]))).toBe('tensor([  1., -inf], f32)');
    expect(String(tensor([1, NaN, 2]))).toBe('tensor([ 1., nan,  2.], f32)');
  });

  it('reads what it shows and no more', () => {
    const { backend: counted, count } = counting();
    withBackend(counted, () => String(zeros([500, 400, 2])));
    expect(count()).toBe(6 * 6 * 2);
  });

  it('prints a view from where it begins', () => {
    const x = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });
    expect(String(x.select(0, 1))).toBe('tensor([3., 4.], f32)');
  });

  it('says why there are no values', async () => {
    const x = tensor([1, 2]);
    let inside = '';
    const twice = capture((t) => {
      inside = String(t);
      return t!.mul(2);
    });
    twice.call(x);
    twice.dispose();
    expect(inside).toBe('f32[2] (no value while capturing)');
    x.dispose();
    expect(String(x)).toBe('f32[2] (disposed)');
    const y = tensor([1]);
    await backend.dispose();
    expect(String(y)).toMatch(/^f32\[1\] \(reference: /);
  });

  it('agrees with the values: a law', () => {
    const element = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ min: -100, max: 100, noNaN: true }).map(Math.fround),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0),
    );
    const shaped = fc
      .array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 })
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.array(element, { minLength: sizeOf(shape), maxLength: sizeOf(shape) }),
        ),
      );
    fc.assert(
      fc.property(shaped, ([shape, values]) => {
        using x = tensor(values, { shape });
        const text = String(x);
        const body = text.slice('tensor('.length).replace(/,\s+f32\)$/, '');
        for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(75);
        // read back by another parser
        const strict = body
          .replace(/-?(nan|inf)/g, '"$&"')
          .replace(/(\d)\.(?=[\s,\]e]|$)/g, '$1.0');
        const nested: unknown = JSON.parse(strict);
        const flat: readonly unknown[] = Array.isArray(nested) ? nested.flat(3) : [nested];
        expect(depth(nested)).toEqual(shape);
        expect(flat).toHaveLength(values.length);
        flat.forEach((shown, i) => {
          const want = values[i]!;
          if (typeof shown === 'string') expect(Object.is(named[shown], want)).toBe(true);
          else {
            const off = Math.abs((shown as number) - want);
            const exact = Math.fround(shown as number) === want;
            expect(exact || off <= (body.includes('e') ? Math.abs(want) * 1e-8 : 1e-8)).toBe(true);
            expect(Object.is(Math.sign(shown as number), -0)).toBe(Object.is(want, -0));
          }
        });
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});

function depth(nested: unknown): number[] {
  return Array.isArray(nested) ? [nested.length, ...depth(nested[0])] : [];
}

describe('inspect', () => {
  it('is what console.log prints, indented inside of objects', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(inspect(x)).toBe(String(x));
    expect(inspect(x, { depth: 0 })).toBe(String(x));
    expect(inspect({ x }, { breakLength: 20 })).toBe(
      '{\n  x: tensor([[1., 2.],\n          [3., 4.]], f32)\n}',
    );
    expect(inspect({ a: { b: { c: { x } } } })).not.toContain('1.');
    expect(inspect([[[x]]], { depth: 2 })).toBe('[ [ [ [Tensor f32[2,2]] ] ] ]');
  });
});

describe('toArray', () => {
  it('nests as the indices do: a law', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        async (shape) => {
          using x = tensor(
            Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
            { shape },
          );
          const nested = await x.toArray();
          expect(x.toArraySync()).toEqual(nested);
          let n = 0;
          const walk = (value: NestedNumbers, rest: readonly number[]): void => {
            if (rest.length === 0) expect(value).toBe(n++);
            else {
              expect(value).toHaveLength(rest[0]!);
              for (const v of value as NestedNumbers[]) walk(v, rest.slice(1));
            }
          };
          walk(nested, shape);
          expect(n).toBe(sizeOf(shape));
          // and back
          if (sizeOf(shape) > 0) expect(tensor(nested, { dtype: 'i32' }).shape).toEqual(shape);
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });

  it('throws for a disposed tensor', async () => {
    const x = tensor([1]);
    x.dispose();
    await expect(x.toArray()).rejects.toThrow(DisposedError);
    expect(() => x.toArraySync()).toThrow(DisposedError);
  });
});

describe('iteration', () => {
  it('gives rows that share the memory', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const before = backend.memory().buffers;
    const rows = [...x];
    expect(backend.memory().buffers).toBe(before);
    expect(rows.map((row) => row.toArraySync())).toEqual(x.toArraySync());
    x.dispose();
    expect(rows[2]!.toArraySync()).toEqual([5, 6]);
    for (const row of rows) row.dispose();
    expect(backend.memory().buffers).toBe(before - 1);
  });

  it('leaves rows to the scope around it, also when it stops early', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    using s = scope();
    s.run(() => {
      for (const _ of x) break;
    });
    expect(s.size).toBe(1);
    expect(tidy(() => [...x].reduce((a, b) => a.add(b))).toArraySync()).toEqual([4, 6]);
  });

  it('gives nothing for no rows, and refuses a scalar', () => {
    expect([...zeros([0, 3])]).toEqual([]);
    expect(() => [...tensor(1)]).toThrow(ShapeError);
    expect(() => [...tensor(1)]).toThrow('iterate: f32[] has no axis: use item()');
  });
});
