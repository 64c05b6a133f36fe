import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MfccCodebook,
  type MfccFrames,
  MfccValueTokenizer,
  mfcc,
  normaliseTime,
  TokenizerError,
  vocode,
  type Wave,
} from '../src/index';

fc.configureGlobal({ seed: 20240606, numRuns: 60 });

function frames(
  coefficients: number,
  values: fc.Arbitrary<number>,
  counts: fc.Arbitrary<number>,
): fc.Arbitrary<MfccFrames> {
  return counts.chain((n) =>
    fc
      .array(values, { minLength: n * coefficients, maxLength: n * coefficients })
      .map((data) => ({ frames: n, coefficients, data: Float32Array.from(data) })),
  );
}

const grid = fc.integer({ min: -400, max: 400 }).map((v) => v / 8);
const anyFrames = frames(3, grid, fc.integer({ min: 1, max: 9 }));

/** The signal of the golden values: two sines, one rising. */
const signal: Wave = {
  sampleRate: 8000,
  samples: Float32Array.from(
    { length: 1000 },
    (_, i) => 0.5 * Math.sin(0.05 * i) + 0.25 * Math.sin(0.31 * i * (1 + i / 4000)),
  ),
};

function column(x: MfccFrames, c: number): number[] {
  return Array.from({ length: x.frames }, (_, t) => x.data[t * x.coefficients + c]!);
}

describe('mfcc', () => {
  test('equals an independent NumPy and SciPy computation', () => {
    // np.fft.rfft of Hamming frames, the filters by np.linspace in mel, scipy.fft.dct(norm='ortho').
    const x = mfcc(signal, { meanNormalise: false });
    expect([x.frames, x.coefficients]).toEqual([11, 13]);
    const golden = new Map([
      [
        0,
        [
          -57.7325, 13.9006, 4.4399, -1.0971, -3.1309, -1.9314, 1.4962, 4.7607, 6.2016, 5.0955, 2.4,
          -0.4212, -2.1286,
        ],
      ],
      [
        5,
        [
          -58.188, 14.4559, 2.6971, -3.0232, -3.2767, 0.3425, 4.9901, 7.298, 6.0583, 2.353, -1.1324,
          -2.5529, -1.8056,
        ],
      ],
    ]);
    for (const [t, row] of golden) {
      row.forEach((value, c) => {
        expect(x.data[t * 13 + c]).toBeCloseTo(value, 3);
      });
    }
  });

  test('mean normalisation takes the mean of every coefficient, so loudness drops out', () => {
    const x = mfcc(signal);
    for (let c = 0; c < 13; c++) {
      expect(column(x, c).reduce((a, b) => a + b, 0)).toBeCloseTo(0, 3);
    }
    const quiet = mfcc({ ...signal, samples: signal.samples.map((v) => v / 4) });
    x.data.forEach((v, i) => {
      expect(quiet.data[i]).toBeCloseTo(v, 3);
    });
  });

  test("the paper's shape: 1 s, 50 ms windows, 25 ms steps are 39 frames; energy first", () => {
    const options = { window: 0.05, hop: 0.025, energy: true, meanNormalise: false };
    const silent = { sampleRate: 8000, samples: new Float32Array(8000) };
    const x = mfcc(silent, options);
    expect([x.frames, x.coefficients]).toEqual([39, 13]);
    expect(x.data[0]).toBeCloseTo(Math.log(1e-10), 4);
    const plain = mfcc(silent, { ...options, energy: false });
    expect(plain.data[0]).toBeCloseTo(Math.sqrt(26) * Math.log(1e-10), 2);
  });

  test('any length, also none, gives finite frames', () => {
    fc.assert(
      fc.property(fc.nat({ max: 700 }), fc.constantFrom(8000, 16000, 22050), (n, sampleRate) => {
        const samples = Float32Array.from({ length: n }, (_, i) => Math.sin(i * i));
        const x = mfcc({ sampleRate, samples });
        const window = Math.round(0.025 * sampleRate);
        const hop = Math.round(0.01 * sampleRate);
        expect(x.frames).toBe(1 + Math.max(0, Math.floor((n - window) / hop)));
        expect(x.data.every((v) => Number.isFinite(v))).toBe(true);
      }),
    );
  });

  test('refuses bad options and samples', () => {
    expect(() => mfcc(signal, { coefficients: 27 })).toThrow(
      'mfcc: coefficients must be an integer in [1, 26], got 27',
    );
    expect(() => mfcc(signal, { highHertz: 5000 })).toThrow('highHertz must be a number in');
    expect(() => mfcc(signal, { lowHertz: 4000 })).toThrow('lowHertz and highHertz are both 4000');
    expect(() => mfcc(signal, { hop: Number.NaN })).toThrow(TokenizerError);
    expect(() => mfcc({ sampleRate: 8000, samples: Float32Array.of(Infinity) })).toThrow(
      'mfcc: sample 0 is Infinity',
    );
  });
});

describe('time normalisation', () => {
  test('ends stay, lines stay lines, the same length is the same', () => {
    fc.assert(
      fc.property(anyFrames, fc.integer({ min: 2, max: 20 }), (x, n) => {
        const y = normaliseTime(x, n);
        expect(y.data.length).toBe(n * 3);
        for (let c = 0; c < 3; c++) {
          const [from, to] = [column(x, c), column(y, c)];
          expect(to[0]).toBe(from[0]);
          expect(to[n - 1]).toBe(from[x.frames - 1]);
          for (const v of to) {
            expect(v).toBeGreaterThanOrEqual(Math.min(...from));
            expect(v).toBeLessThanOrEqual(Math.max(...from));
          }
        }
        expect(normaliseTime(x, x.frames)).toEqual(x);
      }),
    );
    const line = { frames: 3, coefficients: 1, data: Float32Array.of(0, 2, 4) };
    expect([...normaliseTime(line, 5).data]).toEqual([0, 1, 2, 3, 4]);
    expect([...normaliseTime(line, 1).data]).toEqual([2]);
  });
});

describe('MFCC values', () => {
  const unit = fc.integer({ min: -10, max: 266 }).map((v) => v / 256);

  test('np.digitize(x, np.linspace(0, 1, 256), right=True), clipped', () => {
    // Counting the edges below x is what digitize does.
    const edges = Array.from({ length: 256 }, (_, i) => (i === 255 ? 1 : i * (1 / 255)));
    const values = fc.oneof(
      unit,
      fc.float({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(...edges),
    );
    fc.assert(
      fc.property(frames(2, values, fc.constant(3)), (x) => {
        const tokenizer = new MfccValueTokenizer({ frames: 3, coefficients: 2 });
        const expected = [...x.data].map((v) => {
          const clipped = Math.min(1, Math.max(0, v));
          return edges.filter((edge) => edge < clipped).length;
        });
        expect([...tokenizer.encode(x)]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('fitted ranges: idempotent, in range, error at most half a level', () => {
    fc.assert(
      fc.property(
        fc.array(frames(3, grid, fc.constant(4)), { minLength: 1, maxLength: 5 }),
        (list) => {
          const tokenizer = MfccValueTokenizer.fit(list, 4);
          expect(tokenizer.length).toBe(12);
          const { low, high } = tokenizer.toJSON();
          for (const x of list) {
            const ids = tokenizer.encode(x);
            expect(ids.every((id) => id >= 0 && id < 256)).toBe(true);
            const decoded = tokenizer.decode(ids);
            expect(tokenizer.encode(decoded)).toEqual(ids);
            decoded.data.forEach((v, i) => {
              const step = (high[i % 3]! - low[i % 3]!) / 255;
              expect(Math.abs(v - x.data[i]!)).toBeLessThanOrEqual(0.501 * step + 1e-5);
            });
          }
          const again = MfccValueTokenizer.fromJSON(JSON.stringify(tokenizer));
          expect(again.encode(list[0]!)).toEqual(tokenizer.encode(list[0]!));
        },
      ),
    );
  });

  test('refusals', () => {
    const tokenizer = new MfccValueTokenizer({ frames: 39, coefficients: 13 });
    expect([tokenizer.length, tokenizer.vocabSize]).toEqual([507, 256]);
    const x = { frames: 2, coefficients: 13, data: new Float32Array(26) };
    expect(() => tokenizer.encode(x)).toThrow(
      'MfccValueTokenizer.encode: expected 39 frames, got 2: use fitDuration or normaliseTime first',
    );
    expect(() => tokenizer.encode({ ...x, coefficients: 12 })).toThrow(TokenizerError);
    expect(() => tokenizer.encode({ ...x, data: x.data.fill(Number.NaN) })).toThrow(
      'value 0 is NaN',
    );
    expect(() => tokenizer.decode([1])).toThrow('expected 507 ids, got 1');
    expect(
      () => new MfccValueTokenizer({ frames: 1, coefficients: 1, low: [2], high: [1] }),
    ).toThrow('range of coefficient 0 must be finite with low ≤ high, got [2, 1]');
    expect(() => MfccValueTokenizer.fit([], 3)).toThrow('no examples: give at least one');
  });
});

describe('MFCC codebook', () => {
  const recordings = fc.array(anyFrames, { minLength: 1, maxLength: 8 });

  test('ids in range, idempotent, decoded frames are codes, JSON reads back', () => {
    fc.assert(
      fc.property(recordings, fc.integer({ min: 1, max: 12 }), fc.nat(), (list, codes, seed) => {
        const book = MfccCodebook.train(list, { frames: 5, codes, seed });
        expect([book.length, book.vocabSize, book.coefficients]).toEqual([5, codes, 3]);
        const again = MfccCodebook.fromJSON(JSON.stringify(book));
        for (const x of list) {
          const ids = book.encode(x);
          expect(ids.length).toBe(5);
          expect(ids.every((id) => id >= 0 && id < codes)).toBe(true);
          const decoded = book.decode(ids);
          expect([decoded.frames, decoded.coefficients]).toEqual([5, 3]);
          expect(book.encode(decoded)).toEqual(ids);
          expect(again.encode(x)).toEqual(ids);
        }
      }),
    );
  });

  test('distances are in units of each deviation', () => {
    // The second coefficient is 1000 times larger, but both decide alike.
    const x = {
      frames: 4,
      coefficients: 2,
      data: Float32Array.of(0, 0, 1, 0, 0, 1000, 1, 1000),
    };
    const book = MfccCodebook.train([x], { frames: 4, codes: 4, seed: 1 });
    expect([...book.scale]).toEqual([0.5, 500]);
    expect(new Set(book.encode(x)).size).toBe(4);
    expect(book.decode(book.encode(x))).toEqual(x);
  });

  test('the same seed gives the same codes; defaults are 16 frames and 64 codes', () => {
    const list = Array.from({ length: 12 }, (_, n) =>
      mfcc({ ...signal, samples: signal.samples.subarray(n * 20) }),
    );
    const train = (seed: number): MfccCodebook => MfccCodebook.train(list, { seed });
    const book = train(3);
    expect([book.length, book.vocabSize, book.coefficients]).toEqual([16, 64, 13]);
    expect(train(3).toJSON()).toEqual(book.toJSON());
    expect(train(4).toJSON()).not.toEqual(book.toJSON());
  });

  test('refusals', () => {
    expect(() => MfccCodebook.train([], { seed: 1 })).toThrow(
      'MfccCodebook.train: no recordings: give at least one',
    );
    const book = new MfccCodebook(2, Float32Array.of(1), Float32Array.of(1, 2));
    expect(() => book.decode([0, 2])).toThrow(
      'MfccCodebook.decode: id 2 at position 1 is outside [0, 2)',
    );
    expect(() => book.decode([0])).toThrow('expected 2 ids, got 1');
    const none = { frames: 0, coefficients: 1, data: new Float32Array(0) };
    expect(() => book.encode(none)).toThrow('expected frames of 1 coefficients, got 0×1');
    expect(() => new MfccCodebook(2, Float32Array.of(0), Float32Array.of(1))).toThrow(
      'every scale must be positive',
    );
  });
});

describe('vocoder', () => {
  test('analysing what it says gives the frames back, nearly', () => {
    // A formant that rises over 0.3 s, by a comb of harmonics.
    const samples = Float32Array.from({ length: 2400 }, (_, i) => {
      const formant = 500 + (1000 * i) / 2400;
      let sum = 0;
      for (let h = 1; h < 30; h++) {
        sum += Math.exp(-(((h * 120 - formant) / 200) ** 2)) * Math.sin((h * 120 * i) / 1273.24);
      }
      return 0.2 * sum;
    });
    const x = mfcc({ sampleRate: 8000, samples });
    const wave = vocode(x);
    expect(wave.samples.every((v) => Math.abs(v) <= 0.701)).toBe(true);
    const y = mfcc(wave);
    const n = Math.min(x.data.length, y.data.length);
    const dot = (a: Float32Array, b: Float32Array): number =>
      a.subarray(0, n).reduce((sum, v, i) => sum + v * b[i]!, 0);
    const cosine = dot(x.data, y.data) / Math.sqrt(dot(x.data, x.data) * dot(y.data, y.data));
    expect(cosine).toBeGreaterThan(0.9);
  });

  test('any frames give finite samples of the length asked for, the same for the same seed', () => {
    fc.assert(
      fc.property(frames(13, grid, fc.integer({ min: 1, max: 6 })), fc.nat(), (x, seed) => {
        const wave = vocode(x, { seconds: 0.1, seed });
        expect(wave.samples.length).toBe(800);
        expect(wave.samples.every((v) => Math.abs(v) <= 1)).toBe(true);
        expect(vocode(x, { seconds: 0.1, seed })).toEqual(wave);
      }),
    );
    const x = mfcc(signal);
    expect(() => vocode(x, { pitch: 0 })).toThrow('vocode: pitch must be a number in');
    expect(() => vocode(x, { mean: [1] })).toThrow('vocode: mean must have 13 values');
  });
});
