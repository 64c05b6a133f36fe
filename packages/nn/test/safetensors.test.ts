/** The format: every file of the corpus, round trips, and damage. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type HostTensor,
  parseSafetensors,
  SafetensorsError,
  serializeSafetensors,
} from '../src/index';
import {
  loadSafetensors,
  readSafetensorsHeader,
  saveSafetensors,
  writeFileAtomic,
} from '../src/node';
import { hasShared, sharedPath } from './shared';

interface FileCase {
  readonly id: string;
  readonly file: string;
  readonly expect: 'load' | 'reject';
  readonly why: string;
  readonly tensors?: Record<
    string,
    { dtype: string; shape: number[]; values: (number | string | boolean)[] }
  >;
  readonly metadata?: Record<string, string>;
}

const corpus: readonly FileCase[] = hasShared
  ? (
      JSON.parse(readFileSync(sharedPath('conformance/stfiles.json'), 'utf8')) as {
        cases: FileCase[];
      }
    ).cases
  : [];
const special: Record<string, number> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };

describe('safetensors', () => {
  it.runIf(hasShared).each(corpus.map((c) => [c.id, c.why, c] as const))(
    '%s: %s',
    async (_, __, c) => {
      const path = sharedPath(`conformance/${c.file}`);
      if (c.expect === 'reject') {
        await expect(loadSafetensors(path)).rejects.toThrow(SafetensorsError);
        await expect(readSafetensorsHeader(path)).rejects.toThrow(SafetensorsError);
        await expect(loadSafetensors(path)).rejects.toThrow(
          /^safetensors: .*\.safetensors: [^\n]+$/,
        );
        return;
      }
      const { tensors, metadata } = await loadSafetensors(path);
      for (const [name, want] of Object.entries(c.tensors ?? {})) {
        const got = tensors.get(name)!;
        expect([got.dtype, got.shape]).toEqual([want.dtype, want.shape]);
        const values = want.values.map((v) =>
          typeof v === 'string' ? (special[v] ?? BigInt(v)) : v,
        );
        const read = Array.from<number | bigint>(got.data);
        expect(want.dtype === 'BOOL' ? read.map((x) => x === 1) : read).toEqual(values);
      }
      if (c.tensors !== undefined) expect(tensors.size).toBe(Object.keys(c.tensors).length);
      expect(Object.fromEntries(metadata)).toEqual(c.metadata ?? {});
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
  );

  it.runIf(hasShared)('real files survive a round trip', async () => {
    for (const file of [
      'safetensors/jfk-codes',
      'safetensors/voices',
      'models/stories260K/stories260K',
    ]) {
      const { tensors, metadata } = await loadSafetensors(sharedPath(`data/${file}.safetensors`));
      const again = parseSafetensors(serializeSafetensors(tensors, Object.fromEntries(metadata)));
      expect(new Map([...again.tensors].sort())).toEqual(new Map([...tensors].sort()));
    }
  });

  const anyTensor: fc.Arbitrary<HostTensor> = fc
    .record({ shape: fc.array(fc.nat(4), { maxLength: 3 }), seed: fc.integer() })
    .chain(({ shape, seed }) => {
      const n = shape.reduce((k, d) => k * d, 1);
      const number = (i: number): number => Math.imul(seed + i, 2654435761) | 0;
      return fc.constantFrom<HostTensor>(
        { dtype: 'F32', shape, data: Float32Array.from({ length: n }, (_, i) => number(i) / 7) },
        { dtype: 'F64', shape, data: Float64Array.from({ length: n }, (_, i) => number(i) / 7) },
        {
          dtype: 'I64',
          shape,
          data: BigInt64Array.from({ length: n }, (_, i) => BigInt(number(i)) ** 2n),
        },
        { dtype: 'U8', shape, data: Uint8Array.from({ length: n }, (_, i) => number(i)) },
        { dtype: 'I16', shape, data: Int16Array.from({ length: n }, (_, i) => number(i)) },
        {
          dtype: 'F16',
          shape,
          data: Float32Array.from({ length: n }, (_, i) => (number(i) % 1024) / 64),
        },
        {
          dtype: 'BF16',
          shape,
          data: Float32Array.from({ length: n }, (_, i) => (number(i) % 128) / 64),
        },
      );
    });
  const anyFile = fc.array(
    fc.tuple(
      fc
        .string({ unit: 'grapheme' })
        .filter((name) => name !== '__metadata__' && !/\p{Surrogate}/u.test(name)),
      anyTensor,
    ),
    { maxLength: 5 },
  );

  it('writes what it reads', () => {
    fc.assert(
      fc.property(anyFile, (entries) => {
        const tensors = new Map(entries);
        const bytes = serializeSafetensors(tensors, { 'kéy "': 'value\n' });
        const back = parseSafetensors(bytes);
        expect(new Map([...back.tensors].sort())).toEqual(new Map([...tensors].sort()));
        expect(back.metadata.get('kéy "')).toBe('value\n');
        expect(serializeSafetensors(back.tensors, { 'kéy "': 'value\n' })).toEqual(bytes);
      }),
      { seed: 11, numRuns: 60 },
    );
  });

  it('never half-reads: a cut or changed file loads whole, or is refused', () => {
    const tensors = new Map<string, HostTensor>([
      ['a', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
      ['b', { dtype: 'U8', shape: [3], data: Uint8Array.of(5, 6, 7) }],
    ]);
    const bytes = serializeSafetensors(tensors, { note: 'x' });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.slice();
        if (!cut) damaged[at] = byte;
        try {
          const { tensors: read } = parseSafetensors(damaged);
          for (const t of read.values()) {
            expect(t.data.length).toBe(t.shape.reduce((n, d) => n * d, 1));
          }
          expect(cut).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(SafetensorsError);
        }
      }),
      { seed: 3, numRuns: 400 },
    );
  });

  it('rounds to 16 bits to nearest even', () => {
    const values = Float32Array.of(
      1,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      65519,
      65520,
      2 ** -25,
      3 * 2 ** -25,
      -0,
      NaN,
      1e-30,
    );
    const read = (dtype: 'F16' | 'BF16', data: Float32Array): number[] => {
      const host: HostTensor = { dtype, shape: [data.length], data };
      return Array.from(
        parseSafetensors(serializeSafetensors(new Map([['x', host]]))).tensors.get('x')!.data,
        Number,
      );
    };
    expect(read('F16', values)).toEqual([
      1,
      1,
      1 + 2 ** -9,
      65504,
      Infinity,
      0,
      2 ** -23,
      -0,
      NaN,
      0,
    ]);
    expect(
      read('BF16', Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, NaN, -Infinity)),
    ).toEqual([1, 1, 1 + 2 ** -6, Infinity, NaN, -Infinity]);
  });

  it('refuses to write what it could not read', () => {
    const one: HostTensor = { dtype: 'F32', shape: [1], data: Float32Array.of(1) };
    expect(() => serializeSafetensors(new Map([['__metadata__', one]]))).toThrow(SafetensorsError);
    expect(() => serializeSafetensors(new Map([['\ud800', one]]))).toThrow(SafetensorsError);
    expect(() => serializeSafetensors(new Map([['a', { ...one, shape: [2] }]]))).toThrow(
      SafetensorsError,
    );
    expect(() => serializeSafetensors(new Map([['a', { ...one, dtype: 'F64' }]]))).toThrow(
      SafetensorsError,
    );
  });

  it('a failed save leaves the old file and nothing else', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nn-files-'));
    const path = join(directory, 'x.safetensors');
    const one = new Map<string, HostTensor>([
      ['a', { dtype: 'I32', shape: [1], data: Int32Array.of(1) }],
    ]);
    await saveSafetensors(path, one);
    const before = readFileSync(path);
    await expect(saveSafetensors(path, new Map([['\ud800', one.get('a')!]]))).rejects.toThrow(
      SafetensorsError,
    );
    const target = join(directory, 'folder');
    writeFileSync(join(mkdtempSync(target), 'full'), '');
    const occupied = join(directory, readdirSync(directory).find((f) => f.startsWith('folder'))!);
    await expect(writeFileAtomic(occupied, before)).rejects.toThrow();
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(directory).filter((f) => f.endsWith('.tmp'))).toEqual([]);
    chmodSync(path, 0o600);
    await saveSafetensors(path, one, { again: 'yes' });
    expect((await readSafetensorsHeader(path)).metadata.get('again')).toBe('yes');
  });
});
