/**
 * `.npy` files. `golden/npy.json` holds what NumPy 2.4 writes (`numpy.lib.format.write_array`) of arrays in every dtype,
 * byte order and version; `same` where `serializeNpy` is to give the very bytes.
 */
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend, tensor } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CheckpointError,
  type FileDType,
  fromHost,
  type HostData,
  type HostTensor,
  NpyError,
  parseNpy,
  serializeNpy,
} from '../src/index';
import { loadNpy, saveNpy } from '../src/node';

interface Golden {
  readonly read: readonly {
    readonly name: string;
    readonly base64: string;
    readonly kind: string;
    readonly shape: readonly number[];
    readonly values: readonly (number | string | boolean)[];
    readonly same: boolean;
  }[];
  readonly refused: readonly { readonly name: string; readonly base64: string }[];
}

const golden = JSON.parse(
  readFileSync(new URL('./golden/npy.json', import.meta.url), 'utf8'),
) as Golden;
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const special: Record<string, number> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
const dtypes: Record<string, FileDType> = {
  ...{ f8: 'F64', f4: 'F32', f2: 'F16', b1: 'BOOL', i1: 'I8', i2: 'I16', i4: 'I32', i8: 'I64' },
  ...{ u1: 'U8', u2: 'U16', u4: 'U32', u8: 'U64' },
};

describe('parseNpy', () => {
  it.each(golden.read.map((g) => [g.name, g] as const))('reads what NumPy wrote: %s', (_, g) => {
    const got = parseNpy(bytesOf(g.base64));
    expect([got.dtype, got.shape]).toEqual([dtypes[g.kind], g.shape]);
    const wide = g.kind === 'i8' || g.kind === 'u8';
    const want = g.values.map((x) =>
      typeof x === 'string' && x in special ? special[x]! : wide ? BigInt(x) : Number(x),
    );
    // narrow floats have the digits of their own precision
    const rounded =
      g.kind === 'f4' || g.kind === 'f2' ? want.map((x) => Math.fround(x as number)) : want;
    expect(Array.from(got.data as ArrayLike<number | bigint>)).toEqual(rounded);
  });

  it.each(golden.refused.map((g) => [g.name, g.base64] as const))(
    'refuses what is no number, by name: %s',
    (name, base64) => {
      const words: Record<string, string> = {
        ...{ object: 'pickle', complex: 'complex', bytes: 'byte strings', text: 'strings' },
        ...{ record: 'fields', date: 'dates', raw: 'bfloat16' },
      };
      const read = (): HostTensor => parseNpy(bytesOf(base64));
      expect(read).toThrow(NpyError);
      expect(read).toThrow(words[name]!);
    },
  );

  const file = (header: string, data = 0, version: readonly number[] = [1, 0]): Uint8Array => {
    const text = new TextEncoder().encode(header);
    const length = version[0] === 1 ? 2 : 4;
    const out = new Uint8Array(8 + length + text.length + data);
    out.set([0x93, ...new TextEncoder().encode('NUMPY'), ...version]);
    const view = new DataView(out.buffer);
    if (length === 2) view.setUint16(8, text.length, true);
    else view.setUint32(8, text.length, true);
    out.set(text, 8 + length);
    return out;
  };
  const dict = (descr: string, shape: string, order = 'False'): string =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

  it.each([
    ['nothing', new Uint8Array(0), 'not an npy file'],
    ['another format', new TextEncoder().encode('PK\u0003\u0004 not this one'), 'not an npy file'],
    ['a cut version', file('').slice(0, 7), 'version'],
    ['version 4', file(dict("'<f4'", '(1,)'), 4, [4, 0]), 'version 4.0'],
    ['version 1.1', file(dict("'<f4'", '(1,)'), 4, [1, 1]), 'version 1.1'],
    ['a cut length', file('').slice(0, 9), 'length of its header'],
    ['a header beyond the file', file(dict("'<f4'", '(1,)'), 4).slice(0, 40), 'cut off'],
    ['data cut off', file(dict("'<f4'", '(2,)'), 7), 'cut off'],
    ['data left over', file(dict("'<f4'", '(2,)'), 9), 'followed by something else'],
    ['an absurd shape', file(dict("'<f4'", '(99999999999, 99999999999)'), 4), 'needs'],
    ['an overflow behind a 0', file(dict("'<f8'", '(0, 9007199254740991, 9)')), 'needs'],
    ['a large integer', file(dict("'<f4'", '(99999999999999999,)')), 'too large'],
    ['a longer integer', file(dict("'<f4'", `(${'9'.repeat(40)},)`)), 'character'],
    ['a negative size', file(dict("'<f4'", '(-1,)')), 'non-negative'],
    ['a size of a half', file(dict("'<f4'", '(1.5,)')), 'character'],
    ['65 axes', file(dict("'<f4'", `(${'1, '.repeat(65)})`), 4), '65 axes'],
    ['no tuple', file(dict("'<f4'", '(3)'), 12), 'comma'],
    ['code', file("__import__('os').system('id')"), "expected '{'"],
    ['a call', file(dict("'<f4'", 'tuple()')), "expected '('"],
    ['a prototype name', file("{'__proto__': '<f4', }"), '"__proto__" is unknown'],
    ['another prototype name', file(dict("'constructor'", '()'), 4), 'unknown: known are'],
    ['a key twice', file("{'descr': '<f4', 'descr': '<f8', }"), 'comes twice'],
    ['a key missing', file("{'descr': '<f4', 'shape': (), }", 4), 'missing'],
    ['an escape', file(dict("'<f\\x34'", '()'), 4), 'without escapes'],
    ['text behind it', file(`${dict("'<f4'", '()')} + 1`, 4), 'behind the dictionary'],
    ['native order', file(dict("'=f4'", '()'), 4), '=f4'],
    ['no order', file(dict("'|f4'", '()'), 4), 'byte order'],
    ['float of 16 bytes', file(dict("'<f16'", '()'), 16), 'f16'],
    ['a deep list', file(dict('['.repeat(5000), '()')), 'records'],
    [
      'a wrong header in UTF-8',
      file(dict("'\u00e9'", '()'), 0, [3, 0]).fill(0xff, 20, 22),
      'UTF-8',
    ],
  ])('refuses %s', (_, bytes, message) => {
    const read = (): HostTensor => parseNpy(bytes);
    expect(read).toThrow(NpyError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^npy: [^\n]+$/);
  });

  it('reads headers that other writers make', () => {
    const headers = [
      `{"descr":"<f4","fortran_order":False,"shape":(2,)}`,
      ` { 'shape' : (2L,) , 'fortran_order' : False,\n 'descr' : '<f4' } \n`,
    ];
    for (const header of headers) expect(parseNpy(file(header, 8)).shape).toEqual([2]);
    expect(parseNpy(file(dict("'<f4'", '()', 'True'), 4)).data).toEqual(Float32Array.of(0));
    const bools = file(dict("'|b1'", '(3,)'), 3);
    bools.set([7, 0, 255], bools.length - 3);
    expect(parseNpy(bools).data).toEqual(Uint8Array.of(1, 0, 1));
  });

  it('gives an error or an array for any damage: a law', () => {
    const whole = golden.read.map((g) => bytesOf(g.base64));
    const damage = fc.tuple(
      fc.nat(whole.length - 1),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
      fc.nat(200),
    );
    fc.assert(
      fc.property(damage, ([which, bytes, cut]) => {
        const copy = whole[which]!.slice();
        for (const [at, byte] of bytes) if (at < copy.length) copy[at] = byte;
        try {
          const { shape, data } = parseNpy(cut % 2 === 0 ? copy : copy.subarray(0, cut));
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(NpyError);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe('serializeNpy', () => {
  it.each(golden.read.filter((g) => g.same).map((g) => [g.name, g.base64] as const))(
    'writes the bytes of NumPy: %s',
    (_, base64) => {
      const bytes = bytesOf(base64);
      expect(Buffer.compare(serializeNpy(parseNpy(bytes)), bytes)).toBe(0);
    },
  );

  it('is undone by parseNpy, at any offset of the bytes: a law', () => {
    const make: readonly (readonly [FileDType, (n: number) => HostData])[] = [
      ['F64', (n) => Float64Array.from({ length: n }, (_, i) => Math.sin(i))],
      ['F32', (n) => Float32Array.from({ length: n }, (_, i) => Math.cos(i))],
      ['F16', (n) => Float32Array.from({ length: n }, (_, i) => i / 8 - 3)],
      ['I64', (n) => BigInt64Array.from({ length: n }, (_, i) => BigInt(i) * -(2n ** 50n))],
      ['U16', (n) => Uint16Array.from({ length: n }, (_, i) => i * 999)],
      ['I8', (n) => Int8Array.from({ length: n }, (_, i) => i - 100)],
      ['BOOL', (n) => Uint8Array.from({ length: n }, (_, i) => i % 2)],
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...make),
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 }),
        fc.nat(9),
        ([dtype, values], shape, offset) => {
          const data = values(shape.reduce((a, b) => a * b, 1));
          const bytes = serializeNpy({ dtype, shape, data });
          expect(
            (bytes.length - data.length * (dtype === 'F16' ? 2 : data.BYTES_PER_ELEMENT)) % 64,
          ).toBe(0);
          const shifted = new Uint8Array(bytes.length + offset);
          shifted.set(bytes, offset);
          expect(parseNpy(shifted.subarray(offset))).toEqual({ dtype, shape, data });
          expect(parseNpy(Buffer.from(bytes))).toEqual({ dtype, shape, data });
        },
      ),
      { seed: 2, numRuns: 150 },
    );
  });

  it('refuses bfloat16, and data that do not fill the shape', () => {
    const data = Float32Array.of(1, 2);
    expect(() => serializeNpy({ dtype: 'BF16', shape: [2], data })).toThrow('NumPy has no BF16');
    expect(() => serializeNpy({ dtype: 'F32', shape: [3], data })).toThrow(NpyError);
    expect(() => serializeNpy({ dtype: 'F64', shape: [2], data })).toThrow('not F64 [2]');
  });
});

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'npy-'));

  it('hold tensors and arrays of the host', async () => {
    setBackend(referenceBackend());
    const path = join(folder, 'x.npy');
    for (const x of [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([1, 0], { dtype: 'bool' }),
      tensor(3, { dtype: 'i32' }),
    ]) {
      await saveNpy(path, x);
      const back = fromHost(await loadNpy(path));
      expect([back.dtype, back.shape, back.toArraySync()]).toEqual([
        x.dtype,
        x.shape,
        x.toArraySync(),
      ]);
    }
    const host: HostTensor = { dtype: 'I64', shape: [1], data: BigInt64Array.of(2n ** 60n) };
    await saveNpy(path, host);
    expect(await loadNpy(path)).toEqual(host);
    expect(readdirSync(folder)).toEqual(['x.npy']);
  });

  it('are named in errors, and what was there stays when a write is refused', async () => {
    const path = join(folder, 'bad.npy');
    writeFileSync(path, 'not this');
    await expect(loadNpy(path)).rejects.toThrow(`npy: ${path}: it does not begin`);
    await expect(loadNpy(path)).rejects.toThrow(NpyError);
    await expect(loadNpy(join(folder, 'none.npy'))).rejects.toThrow(CheckpointError);
    const refused: HostTensor = { dtype: 'BF16', shape: [1], data: Float32Array.of(1) };
    await expect(saveNpy(path, refused)).rejects.toThrow(NpyError);
    expect(readFileSync(path, 'utf8')).toBe('not this');
  });
});
