/** Learned tokenizers of images, on real digits: what they keep, files, the report, and wrong use. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { CheckpointError, parseSafetensors, serializeSafetensors } from '@loretta-ts/nn';
import { encodePng, type Image, TokenizerError } from '@loretta-ts/tokenizers';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataError } from '../src/data/errors';
import { learnedImageCodec } from '../src/data/learnedCodecs';
import { tokenizeSource } from '../src/data/modality';
import { mnistPackage } from '../src/data/node/mnistFiles';
import { limitSource, type RawSource } from '../src/data/source';
import { frameForm, imageForm } from '../src/data/vqForms';
import { VqTokenizer } from '../src/data/vqTokenizer';
import {
  compareTest,
  reconstructionRows,
  reconstructionSheet,
} from '../src/report/reconstructions';

const digits = limitSource(mnistPackage(), 200, 30);
const form = imageForm(digits.train.items[0]!);
let tokenizer: VqTokenizer<Image>;
beforeAll(async () => {
  setBackend(cpu());
  tokenizer = await VqTokenizer.train(form, digits.train.items, {
    ...{ kind: 'vq', seed: 1, steps: 250, batch: 16, hidden: 16 },
  });
}, 60_000);

/** Mean squared error of pixels in [0, 1]. */
function error(a: readonly Image[], b: readonly Image[]): number {
  let sum = 0;
  a.forEach((x, i) => {
    x.data.forEach((v, j) => {
      sum += ((v - b[i]!.data[j]!) / 255) ** 2;
    });
  });
  return sum / (a.length * a[0]!.data.length);
}

describe('images', () => {
  test('are 16 codes of 64, and what is left of test images is far nearer than their mean', () => {
    expect([tokenizer.length, tokenizer.vocabSize, tokenizer.kind]).toEqual([16, 64, 'vq']);
    const { items } = digits.test;
    const ids = tokenizer.encodeAll(items);
    expect(ids.every((id) => id >= 0 && id < 64)).toBe(true);
    const size = items[0]!.data.length;
    const mean = Uint8Array.from({ length: size }, (_, j) =>
      Math.round(items.reduce((s, x) => s + x.data[j]!, 0) / items.length),
    );
    const left = error(items, tokenizer.decodeAll(ids));
    const nothing = error(
      items,
      items.map((x) => ({ ...x, data: mean })),
    );
    expect(nothing).toBeGreaterThan(0.06);
    expect(left).toBeLessThan(0.036);
    const used = new Map<number, number>();
    for (const id of ids) used.set(id, (used.get(id) ?? 0) + 1);
    const entropy = [...used.values()].reduce(
      (h, n) => h - (n / ids.length) * Math.log(n / ids.length),
      0,
    );
    expect(Math.exp(entropy)).toBeGreaterThan(25);
  });

  test('one by one give the codes of all together, and decoding is deterministic', () => {
    const some = digits.test.items.slice(0, 70);
    const all = tokenizer.encodeAll(some);
    some.forEach((image, i) => {
      expect(tokenizer.encode(image)).toEqual(all.slice(16 * i, 16 * i + 16));
    });
    expect(tokenizer.decodeAll(all)).toEqual(tokenizer.decodeAll(all));
    expect(tokenizer.decode(all.slice(16, 32))).toEqual(tokenizer.decodeAll(all)[1]);
  });

  test('any codes decode to an image of the shape', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 63 }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(ids, (codes) => {
        const image = tokenizer.decode(codes);
        expect([image.width, image.height, image.channels, image.data.length]).toEqual([
          ...[28, 28, 1, 784],
        ]);
      }),
      { numRuns: 20 },
    );
  });

  test('the same seed learns the same, and a file holds it exactly', async () => {
    const options = { kind: 'vq', steps: 3, hidden: 8 } as const;
    const learn = (seed: number) =>
      VqTokenizer.train(form, digits.train.items.slice(0, 100), { ...options, seed });
    const [one, same, other] = [await learn(1), await learn(1), await learn(2)];
    expect(same.toBytes()).toEqual(one.toBytes());
    expect(other.toBytes()).not.toEqual(one.toBytes());
    const again = VqTokenizer.fromBytes(tokenizer.toBytes(), form);
    const ids = tokenizer.encodeAll(digits.test.items);
    expect(again.encodeAll(digits.test.items)).toEqual(ids);
    expect(again.decodeAll(ids)).toEqual(tokenizer.decodeAll(ids));
    expect(again.toBytes()).toEqual(tokenizer.toBytes());
    expect(again.toJSON()).toEqual(tokenizer.toJSON());
  });

  test('of colours keep their channels apart', () => {
    const colours = imageForm({ width: 2, height: 3, channels: 3 });
    const data = Uint8Array.from({ length: 18 }, (_, i) => 10 * i);
    const image: Image = { width: 2, height: 3, channels: 3, data };
    const values = colours.values(image);
    expect([...values.slice(0, 6)]).toEqual([0, 30, 60, 90, 120, 150]);
    expect(colours.read(values)).toEqual(image);
    expect([...colours.read(values.map((v) => 2 * v - 40)).data.slice(0, 4)]).toEqual([
      ...[0, 0, 0, 20],
    ]);
  });
});

describe('the report', () => {
  test('shows the originals above what is left of them, and counts the codes', async () => {
    const codec = await learnedImageCodec(digits.train.items, {
      ...{ kind: 'vq', seed: 0, saved: tokenizer.toBytes(), steps: 0 },
    });
    const images = tokenizeSource('image', digits, codec, (image) => ({ kind: 'image', image }));
    const compared = compareTest(images)!;
    expect(compared.made.map((x) => [x.name, x.tokens, x.codes])).toEqual([
      ['vq', 16, 64],
      ['k-means', 16, 64],
    ]);
    const ids = tokenizer.encodeAll(digits.test.items);
    expect(compared.made[0]!.error).toBeCloseTo(
      error(digits.test.items, tokenizer.decodeAll(ids)),
      6,
    );
    const sheet = reconstructionSheet(images, compared);
    expect([sheet.width, sheet.height]).toEqual([20 * 60 + 4, 3 * 60 + 4]);
    // the first column is the first zero of the test set, enlarged twice
    const zero = digits.test.items[digits.test.labels.indexOf(0)]!;
    const pixel = (x: number, y: number): number => sheet.data[(4 + y) * sheet.width + 4 + x]!;
    for (const [x, y] of [[20, 14] as const, [28, 28] as const, [31, 40] as const])
      expect(pixel(x, y)).toBe(zero.data[(y >> 1) * 28 + (x >> 1)]);
    expect(encodePng(sheet).length).toBeGreaterThan(1000);
    const { head, rows } = reconstructionRows(compared);
    for (const row of rows) expect(row).toHaveLength(head.length);
  });

  test('has nothing to show where tokens are not learned', () => {
    const source: RawSource<Image> = digits;
    const plain = {
      vocabSize: 2,
      maxLength: 1,
      fixedLength: true,
      describe: '',
      encode: () => Int32Array.of(0),
      decode: () => ({ kind: 'tokens', ids: Int32Array.of(0) }) as const,
      toJSON: () => null,
    };
    const images = tokenizeSource('image', source, plain, (image) => ({ kind: 'image', image }));
    expect(compareTest(images)).toBeNull();
  });
});

describe('wrong use', () => {
  test('no examples, other shapes, other ids', async () => {
    await expect(VqTokenizer.train(form, [], { kind: 'vq', seed: 0 })).rejects.toThrow(DataError);
    await expect(
      learnedImageCodec([], { kind: 'vq', seed: 0, saved: null, steps: 1 }),
    ).rejects.toThrow(DataError);
    const small: Image = { width: 2, height: 2, channels: 1, data: new Uint8Array(4) };
    expect(() => tokenizer.encode(small)).toThrow(TokenizerError);
    for (const ids of [[], [1, 2], new Array(32).fill(0), [...new Array(15).fill(0), 64]])
      expect(() => tokenizer.decode(ids)).toThrow(TokenizerError);
    expect(() => tokenizer.decode([...new Array(15).fill(0), Number.NaN])).toThrow(TokenizerError);
  });

  test('files that are damaged, of another form, or claim absurd sizes', () => {
    const bytes = tokenizer.toBytes();
    const read = (b: Uint8Array) => () => VqTokenizer.fromBytes(b, form);
    expect(read(bytes.subarray(0, bytes.length - 10))).toThrow(/cut off/);
    expect(() => VqTokenizer.fromBytes(bytes, frameForm(16, 13))).toThrow(CheckpointError);
    const other = imageForm({ width: 14, height: 28, channels: 1 });
    expect(() => VqTokenizer.fromBytes(bytes, other)).toThrow(DataError);
    const { tensors, metadata } = parseSafetensors(bytes);
    const changed = (name: string, value: string): Uint8Array =>
      serializeSafetensors(tensors, { ...Object.fromEntries(metadata), [name]: value });
    const config = JSON.parse(metadata.get('config')!) as object;
    const claim = { ...config, hidden: 2 ** 30 };
    expect(read(changed('config', JSON.stringify(claim)))).toThrow(CheckpointError);
    expect(read(changed('config', '{'))).toThrow(CheckpointError);
    expect(read(changed('scaling', '{"mean":[0],"deviation":[0]}'))).toThrow(CheckpointError);
    expect(read(changed('config', JSON.stringify({ ...config, hidden: 8 })))).toThrow(
      /\[8,1,3,3\]/,
    );
  });

  test('a saved tokenizer of another kind is refused', async () => {
    const options = { seed: 0, saved: tokenizer.toBytes(), steps: 1 };
    await expect(
      learnedImageCodec(digits.train.items, { ...options, kind: 'dvae' }),
    ).rejects.toThrow(/is a vq, not a dvae/);
  });
});
