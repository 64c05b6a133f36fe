import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodePng,
  encodePng,
  type Image,
  imageFromUnit,
  imageToUnit,
  PatchCodebook,
  PatchTokenizer,
  PixelTokenizer,
  TokenizerError,
} from '../src/index';

fc.configureGlobal({ seed: 20240601, numRuns: 60 });

function image(width: number, height: number, channels: number): fc.Arbitrary<Image> {
  const size = width * height * channels;
  return fc
    .uint8Array({ minLength: size, maxLength: size })
    .map((data) => ({ width, height, channels, data }));
}

const anyImage = fc
  .tuple(
    fc.integer({ min: 1, max: 7 }),
    fc.integer({ min: 1, max: 7 }),
    fc.integer({ min: 1, max: 4 }),
  )
  .chain(([width, height, channels]) => image(width, height, channels));

/** Images of 8×6 with 2×2 patches: six strokes per image, so codebooks have something to find. */
function strokes(count: number): Image[] {
  return Array.from({ length: count }, (_, n) => ({
    width: 8,
    height: 6,
    channels: 1,
    data: Uint8Array.from({ length: 48 }, (_, i) =>
      Math.floor(i / 8) % 3 === n % 3 ? 200 + n : 3,
    ),
  }));
}

describe('pixels', () => {
  test('256 levels are lossless', () => {
    fc.assert(
      fc.property(anyImage, (x) => {
        const tokenizer = new PixelTokenizer({ ...x, levels: 256 });
        expect(tokenizer.decode(tokenizer.encode(x))).toEqual(x);
      }),
    );
  });

  test('any number of levels: ids in range, idempotent, black and white kept, error at most half a step', () => {
    fc.assert(
      fc.property(anyImage, fc.integer({ min: 2, max: 256 }), (x, levels) => {
        const tokenizer = new PixelTokenizer({ ...x, levels });
        const ids = tokenizer.encode(x);
        expect(ids.length).toBe(tokenizer.length);
        expect(ids.every((id) => id >= 0 && id < levels)).toBe(true);
        const decoded = tokenizer.decode(ids);
        expect(tokenizer.encode(decoded)).toEqual(ids);
        decoded.data.forEach((v, i) => {
          const original = x.data[i]!;
          expect(Math.abs(v - original)).toBeLessThanOrEqual(127.5 / (levels - 1) + 0.5);
          if (original === 0 || original === 255) expect(v).toBe(original);
        });
      }),
    );
  });

  test('the two tables by hand', () => {
    const tokenizer = new PixelTokenizer({ width: 4, height: 1, channels: 1, levels: 3 });
    const data = Uint8Array.of(0, 63, 64, 255);
    expect([...tokenizer.encode({ width: 4, height: 1, channels: 1, data })]).toEqual([0, 0, 1, 2]);
    expect([...tokenizer.decode([0, 1, 2, 2]).data]).toEqual([0, 128, 255, 255]);
  });

  test('unit values', () => {
    const shape = { width: 3, height: 1, channels: 1 };
    expect([...imageFromUnit(shape, [0, 0.5, 1]).data]).toEqual([0, 128, 255]);
    fc.assert(
      fc.property(anyImage, (x) => {
        expect(imageFromUnit(x, imageToUnit(x))).toEqual(x);
      }),
    );
    expect(() => imageFromUnit(shape, [0, Number.NaN, 1])).toThrow(
      'imageFromUnit: value at 1 must be a number in [0, 1], got NaN',
    );
    expect(() => imageFromUnit(shape, [0, 1])).toThrow('imageFromUnit: expected 3 values, got 2');
  });

  test('refusals name what is wrong', () => {
    const tokenizer = new PixelTokenizer({ width: 2, height: 1, channels: 1, levels: 4 });
    const x = { width: 2, height: 1, channels: 1, data: new Uint8Array(2) };
    expect(() => tokenizer.decode([0, 4])).toThrow(
      'PixelTokenizer.decode: id 4 at position 1 is outside [0, 4)',
    );
    expect(() => tokenizer.decode([0, -1])).toThrow(TokenizerError);
    expect(() => tokenizer.decode([0, 0.5])).toThrow(TokenizerError);
    expect(() => tokenizer.decode([0])).toThrow('PixelTokenizer.decode: expected 2 ids, got 1');
    expect(() => tokenizer.encode({ ...x, width: 3 })).toThrow(
      'PixelTokenizer.encode: image is 3×1×1, this tokenizer was made for 2×1×1',
    );
    expect(() => tokenizer.encode({ ...x, data: new Uint8Array(3) })).toThrow('got 3 values');
    expect(() => new PixelTokenizer({ width: 2, height: 1, channels: 1, levels: 1 })).toThrow(
      'PixelTokenizer: levels must be an integer in [2, 256], got 1',
    );
    expect(() => new PixelTokenizer({ width: 0, height: 1, channels: 1, levels: 2 })).toThrow(
      TokenizerError,
    );
  });
});

describe('patches', () => {
  test('emits patch after patch, rows inside, channels last', () => {
    const tokenizer = new PatchTokenizer({
      width: 4,
      height: 2,
      channels: 2,
      patch: 2,
      levels: 256,
    });
    const data = Uint8Array.from({ length: 16 }, (_, i) => i);
    expect([...tokenizer.encode({ width: 4, height: 2, channels: 2, data })]).toEqual([
      0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15,
    ]);
  });

  test('same tokens as pixels in another order; lossless at 256 levels, else idempotent', () => {
    const configs = fc.record({
      columns: fc.integer({ min: 1, max: 3 }),
      rows: fc.integer({ min: 1, max: 3 }),
      patch: fc.integer({ min: 1, max: 3 }),
      channels: fc.integer({ min: 1, max: 3 }),
      levels: fc.constantFrom(2, 5, 255, 256),
    });
    const cases = configs.chain((c) =>
      image(c.columns * c.patch, c.rows * c.patch, c.channels).map((x) => ({ ...c, x })),
    );
    fc.assert(
      fc.property(cases, ({ x, patch, levels }) => {
        const tokenizer = new PatchTokenizer({ ...x, patch, levels });
        const ids = tokenizer.encode(x);
        const pixels = new PixelTokenizer({ ...x, levels });
        expect([...ids].sort()).toEqual([...pixels.encode(x)].sort());
        expect(tokenizer.decode(ids)).toEqual(pixels.decode(pixels.encode(x)));
        expect(tokenizer.encode(tokenizer.decode(ids))).toEqual(ids);
        if (levels === 256) expect(tokenizer.decode(ids)).toEqual(x);
      }),
    );
  });

  test('a patch must divide the image', () => {
    expect(
      () => new PatchTokenizer({ width: 28, height: 28, channels: 1, patch: 5, levels: 2 }),
    ).toThrow('PatchTokenizer: patch 5 does not divide 28×28: choose a common divisor of both');
  });
});

describe('patch codebook', () => {
  test('28×28 with 7×7 patches and 64 codes are 16 tokens', () => {
    const images = Array.from({ length: 12 }, (_, n) => ({
      width: 28,
      height: 28,
      channels: 1,
      data: Uint8Array.from({ length: 784 }, (_, i) => (i * (n + 3) * 2654435761) >>> 24),
    }));
    const book = PatchCodebook.train(images, { patch: 7, codes: 64, seed: 1 });
    expect([book.vocabSize, book.length]).toEqual([64, 16]);
    expect(book.encode(images[0]!).length).toBe(16);
  });

  test('recovers patches exactly when there are enough codes', () => {
    const images = strokes(6);
    const book = PatchCodebook.train(images, { patch: 2, codes: 32, seed: 3 });
    for (const x of images) expect(book.decode(book.encode(x))).toEqual(x);
  });

  test('encoding a decoded image gives the same tokens; the nearest code wins', () => {
    const books = fc.tuple(
      fc.uint8Array({ minLength: 8, maxLength: 60 }).map((d) => d.slice(0, d.length & ~3)),
      image(8, 6, 1),
    );
    fc.assert(
      fc.property(books, ([centroids, x]) => {
        const book = new PatchCodebook({ width: 8, height: 6, channels: 1 }, 2, centroids);
        const ids = book.encode(x);
        expect(ids.every((id) => id < book.vocabSize)).toBe(true);
        expect(book.encode(book.decode(ids))).toEqual(ids);
        const error = (code: number): number =>
          [0, 1, 8, 9].reduce(
            (sum, at, i) => sum + (x.data[at]! - centroids[4 * code + i]!) ** 2,
            0,
          );
        const errors = Array.from({ length: book.vocabSize }, (_, code) => error(code));
        expect(ids[0]).toBe(errors.indexOf(Math.min(...errors)));
      }),
    );
  });

  test('training depends on the seed and nothing else; JSON round trip', () => {
    const images = strokes(40);
    const train = (seed: number): PatchCodebook =>
      PatchCodebook.train(images, { patch: 2, codes: 5, seed, sample: 100 });
    expect(train(1).centroids).toEqual(train(1).centroids);
    expect([1, 2, 3, 4].map(train).some((b) => `${b.centroids}` !== `${train(9).centroids}`)).toBe(
      true,
    );
    const book = train(1);
    const again = PatchCodebook.fromJSON(JSON.stringify(book));
    expect(again.toJSON()).toEqual(book.toJSON());
    for (const x of images) expect(again.encode(x)).toEqual(book.encode(x));
  });

  test('refusals', () => {
    expect(() => PatchCodebook.train([], { patch: 2, codes: 2, seed: 1 })).toThrow(
      'PatchCodebook.train: no images: give at least one',
    );
    const mixed = [...strokes(1), { width: 2, height: 2, channels: 1, data: new Uint8Array(4) }];
    expect(() => PatchCodebook.train(mixed, { patch: 2, codes: 2, seed: 1 })).toThrow(
      'image is 2×2×1',
    );
    const json = PatchCodebook.train(strokes(3), { patch: 2, codes: 3, seed: 1 }).toJSON();
    for (const change of [
      { type: 'MfccCodebook' },
      { width: 7 },
      { codes: 4 },
      { patch: 0 },
      { centroids: json.centroids.slice(1) },
      { centroids: json.centroids.map(() => 0.5) },
      { centroids: json.centroids.map(() => null) },
    ]) {
      expect(() => PatchCodebook.fromJSON({ ...json, ...change })).toThrow(TokenizerError);
    }
    expect(() => PatchCodebook.fromJSON('{')).toThrow('the codebook is not valid JSON');
  });
});

describe('png', () => {
  test('round trip for every channel count', () => {
    fc.assert(
      fc.property(anyImage, (x) => {
        expect(decodePng(encodePng(x))).toEqual(x);
      }),
    );
  });

  test('every truncation and every flipped byte is refused or leaves the image alone', () => {
    const x = strokes(1)[0]!;
    const png = encodePng(x);
    for (let n = 0; n < png.length - 12; n++) {
      expect(() => decodePng(png.subarray(0, n))).toThrow(TokenizerError);
    }
    for (let i = 0; i < png.length; i++) {
      const damaged = png.slice();
      damaged[i]! ^= 0x55;
      let decoded: Image | undefined;
      try {
        decoded = decodePng(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(TokenizerError);
      }
      if (decoded !== undefined) expect(decoded).toEqual(x);
    }
  });

  test('packed grey, palettes and 16 bits become bytes', () => {
    // Made with Python's zlib: two rows of 10 one-bit pixels; red, blue and grey by a palette; 0x1234 and 0xffff.
    const decode = (base64: string): Image =>
      decodePng(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    const oneBit = decode(
      'iVBORw0KGgoAAAANSUhEUgAAAAoAAAACAQAAAABJGnB9AAAADklEQVR4nGNYdYAhlAEABwIBwMpmpOoAAAAASUVORK5CYII=',
    );
    expect([oneBit.width, oneBit.height, oneBit.channels]).toEqual([10, 2, 1]);
    expect([...oneBit.data].map((v) => v / 255).join('')).toBe('10101010110101010100');
    const palette = decode(
      'iVBORw0KGgoAAAANSUhEUgAAAAMAAAABAgMAAABmjvwnAAAACVBMVEX/AAAAAP8KFB7NH4yaAAAACklEQVR4nGOQAAAAGgAZLYj0NgAAAABJRU5ErkJggg==',
    );
    expect(palette.channels).toBe(3);
    expect([...palette.data]).toEqual([255, 0, 0, 0, 0, 255, 10, 20, 30]);
    const deep = decode(
      'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABEAAAAACB2fwVAAAADUlEQVR4nGMQMvn/HwAD5gJFLkKWdQAAAABJRU5ErkJggg==',
    );
    expect([...deep.data]).toEqual([0x12, 0xff]);
  });

  test('a header that promises more than the data can hold is refused before unpacking', () => {
    const png = encodePng(strokes(1)[0]!);
    const view = new DataView(png.buffer, png.byteOffset);
    view.setUint32(16, 8192);
    view.setUint32(20, 8192);
    view.setUint32(29, crc32(png.subarray(12, 29)));
    expect(() => decodePng(png)).toThrow(
      /^decodePng: damaged \(the image has \d{8} bytes, its data gives \d{5} at most\)$/,
    );
  });

  test('a header that promises too many pixels is refused before unpacking', () => {
    const png = encodePng(strokes(1)[0]!);
    expect(() => decodePng(png, { maxPixels: 47 })).toThrow(
      'decodePng: the image has 48 pixels, expected 1 to 47',
    );
    const text = new TextEncoder().encode('GIF89a'.padEnd(64));
    expect(() => decodePng(text)).toThrow('decodePng: not a PNG file');
  });
});
